//! `doc/services.md` shows ten tasks: its commands, taken from the page, in a copy of this machine's file
//! system that is gone afterwards. Needs root.

use std::fs;
use std::path::Path;

use harness::{Side, skipped_for};

/// Makes the copy, then runs `script` in it, where our programs are `/command`.
const MACHINE: &str = r#"
set -eu
programs=$1 scripts=$2 script=$3
mount -t tmpfs tmpfs machine
cd machine
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
rm -rf service command etc/supervise
mkdir -p service command etc/supervise
for file in "$programs"/* "$scripts"/*; do
  if [ -f "$file" ] && [ -x "$file" ]; then cp "$file" command; fi
done
mount -t proc proc proc
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /dev dev
sed -i '/^multilog:/d' etc/passwd
echo 'multilog:x:7100:7100::/:/bin/false' >> etc/passwd
exec chroot . env - PATH=/command:/usr/bin:/bin:/usr/sbin:/sbin sh -eu -c "$script"
"#;

/// What is waited for before the next command: a command that must succeed within 20 seconds.
const WAIT: &str = r#"
until_() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 2000 ] || { echo "in vain: $1"; exit 1; }; sleep 0.01; done; }
up() { until_ "svstat $1 | grep -q ': up '"; }
pid() { svstat "$1" | sed 's/.*pid \([0-9]*\).*/\1/'; }
# A small machine has no ps(1).
command -v ps > /dev/null || ps() { for line in /proc/[0-9]*/cmdline; do tr '\0' ' ' < "$line"; echo; done; }
"#;

/// Runs a script on a machine of its own; `None` where that cannot be had.
fn machine(script: &str) -> Option<String> {
    let side = Side::ours();
    let namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
    let unshare = [&["unshare"], &namespaces[..], &["--propagation", "private"]].concat();
    if side.run([&unshare[..], &["mount", "-t", "tmpfs", "tmpfs", "/mnt"]].concat()).exit != 0 {
        skipped_for("the tasks of doc/services.md need root, and namespaces");
        return None;
    }
    side.directory("machine");
    let scripts = top().join("daemontools/scripts");
    let programs = side.programs().to_str().unwrap();
    let script = format!("{WAIT}\n{script}");
    let words = ["sh", "-c", MACHINE, "sh", programs, scripts.to_str().unwrap(), &script];
    let run = side.run([&unshare[..], &words].concat());
    let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert_eq!(run.exit, 0, "{said}");
    Some(said)
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout")
}

/// The indented lines of a task, with the four blanks taken away; an empty one for any other.
fn lines(task: u32) -> Vec<String> {
    let page = fs::read_to_string(top().join("doc/services.md")).expect("the page");
    let start = format!("\n## {task}. ");
    let text = page.split(&start).nth(1).expect("a task");
    let text = text.split("\n## ").next().unwrap_or_default();
    text.lines().map(|line| line.strip_prefix("    ").unwrap_or_default().to_owned()).collect()
}

/// What a task has root type: the lines with a prompt, without what is explained behind them, and the
/// lines of their here-documents. What waits for ever is left out.
fn typed(task: u32) -> String {
    let mut typed = String::new();
    let mut end = None; // of the here-document, or of the file, that the line is in
    for line in lines(task) {
        if let Some(last) = end {
            if last == "END" {
                typed.extend([line.as_str(), "\n"]);
            }
            if line == last {
                end = None;
            }
        } else if line == "#!/bin/sh" {
            end = Some("");
        } else if let Some(command) =
            line.strip_prefix("# ").filter(|line| !line.contains("tail -F"))
        {
            typed += command.split("    ").next().unwrap_or_default().trim_end();
            typed += "\n";
            end = command.contains("<<'END'").then_some("END");
        }
    }
    assert!(!typed.is_empty());
    typed
}

/// The rest of the file in a task that has the line `known`.
fn file(task: u32, known: &str) -> String {
    let lines = lines(task);
    let at = lines.iter().position(|line| line == known).expect("a line of the file");
    let body = lines.iter().skip(at + 1).take_while(|line| !line.is_empty());
    body.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn a_service_is_added_logged_restarted_stopped_and_removed() {
    let [look, add, log, read, restart, stop, remove, find] = [1, 2, 3, 4, 5, 6, 7, 8].map(typed);
    let script = format!(
        r#"
        svscan /service & scanner=$!
        {add}
        up /service/hello
        {log}
        up /service/hello/log
        svc -t -W R -T 10000 /service/hello
        until_ 'grep -q hello /service/hello/log/main/current'
        svc -a /service/hello/log; until_ '[ -e /service/hello/log/main/@* ]'
        ( {read} ) > read
        grep -q '^20[0-9-]* [0-9:.]* hello$' read
        {look}
        echo == restart; old=$(pid /service/hello)
        {restart}
        up /service/hello; [ "$(pid /service/hello)" != "$old" ]
        echo == stop
        {stop}
        svstat /service/hello
        echo == find
        svc -o -W u /service/hello; svc -d -W d /service/hello
        {find}
        up /service/hello
        echo == remove
        {remove}
        cd /; ls /service | wc -l
        kill $scanner; wait $scanner; echo "scanner $?"
        "#,
    );
    let Some(said) = machine(&script) else { return };
    let has = |text: &str| assert!(said.contains(text), "no {text:?} in {said}");
    has("last exit");
    has("/service/hello/log  up");
    has("\n/service/hello: down ");
    has("signal 15\n");
    has("== remove\n0\nscanner 0\n");
    // Nothing was said that the page does not tell of.
    assert!(!said.contains("fatal") && !said.contains("warning"), "{said}");
}

#[test]
fn who_is_to_hear_of_a_death_hears_of_it() {
    let notify = file(8, "# notify: mail when the service was killed");
    let script = format!(
        r#"
        mkdir -p /etc/supervise/x; cd /etc/supervise/x
        printf '#!/bin/sh\nexec sleep 600\n' > run
        printf '#!/bin/sh\n%s' '{}' > notify
        printf '#!/bin/sh\necho "$@" > /mailed.new; cat >> /mailed.new; mv /mailed.new /mailed\n' > /command/mail
        chmod 755 run notify /command/mail
        supervise . & up .
        svc -k .
        until_ '[ -e /mailed ]'; cat /mailed
        svc -dx -W x .
        "#,
        notify.replace('\'', r"'\''"),
    );
    let Some(said) = machine(&script) else { return };
    assert!(said.contains("-s service killed root\n/etc/supervise/x: signal 9\n"), "{said}");
}

#[test]
fn a_service_waits_for_another() {
    let web = file(9, "# /service/web/run");
    let script = format!(
        r#"
        mkdir -p /etc/supervise/database /etc/supervise/web
        printf '#!/bin/sh\nexec sleep 600\n' > /etc/supervise/database/run
        printf '#!/bin/sh\n[ -e /open ]\n' > /etc/supervise/database/check
        printf '#!/bin/sh\n%s' '{}' > /etc/supervise/web/run
        printf '#!/bin/sh\necho "web: $@"; exec sleep 600\n' > /command/web-server
        chmod 755 /etc/supervise/*/* /command/web-server
        svscan /service > said & scanner=$!
        ln -s /etc/supervise/* /service
        up /service/database; up /service/web
        until_ 'svstat -t /service/database | grep -q no'
        [ ! -s said ]
        : > /open
        until_ 'grep -q ^web: said'; cat said
        kill $scanner; wait $scanner; echo "scanner $?"
        "#,
        web.replace('\'', r"'\''"),
    );
    let Some(said) = machine(&script) else { return };
    assert!(said.contains("web: ") && said.contains("scanner 0\n"), "{said}");
}

#[test]
fn an_ordinary_user_has_services() {
    let mine = lines(10);
    let start = "$ /command/svscanboot ~/service &";
    assert!(mine.iter().any(|line| line == start), "{mine:?}");
    let script = r"
        install -d -o nobody /tmp/home /tmp/home/service /tmp/home/service/x
        printf '#!/bin/sh\nexec sleep 600\n' > /tmp/home/service/x/run
        chmod 755 /tmp/home/service/x/run
        setuidgid nobody env HOME=/tmp/home sh -c '/command/svscanboot ~/service & wait' & 
        up /tmp/home/service/x
        setuidgid nobody svc -t -W R /tmp/home/service/x
        ! setuidgid daemon svc -t /tmp/home/service/x || exit 1
        stat -c %U /proc/$(pid /tmp/home/service/x)
        setuidgid nobody svc -dx -W x /tmp/home/service/x
        ";
    let Some(said) = machine(script) else { return };
    assert!(said.contains("nobody\n"), "{said}");
    assert!(said.contains("access denied"), "{said}");
}
