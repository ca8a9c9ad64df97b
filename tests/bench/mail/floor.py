"""The machine itself: what syncs and processes cost."""
import os
import statistics
import tempfile
import threading
import time


def floor(_host, opt):
    with tempfile.TemporaryDirectory(dir=opt.work) as folder:
        file = os.open(folder + "/a", os.O_RDWR | os.O_CREAT)

        def overwrite(_):
            os.pwrite(file, b"y", 0)
            os.fsync(file)

        def create(number):
            new = os.open(f"{folder}/n{number}", os.O_WRONLY | os.O_CREAT)
            os.write(new, b"x" * 2048)
            os.fsync(new)
            os.close(new)

        def spawn(_):
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        overwrite(0)
        return {"overwrite+fsync us": median(overwrite, 300), "create 2k+fsync us": median(create, 300),
                "/bin/true spawn us": median(spawn, 200), "10 threads create+fsync /s": together(create)}


def median(act, n):
    """Microseconds."""
    times = []
    for number in range(n):
        began = time.perf_counter()
        act(number)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def together(act):
    """Times a second that ten threads do it."""
    threads = [threading.Thread(target=lambda first: [act(first + i) for i in range(200)], args=(1000 * number,))
               for number in range(1, 11)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 2000 / (time.perf_counter() - began)
