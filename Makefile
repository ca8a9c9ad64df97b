.PHONY: all try test record bench install check uninstall

all: ; package/compile
try: ; package/try
test: ; tests/run
record: ; tests/record "$(HOME_OF_NOTQMAIL)" "$(VERSION)"
bench: ; tests/bench/ucspi/run.py --peer c=target/originals/usr/bin --peer ours=target/command --floor --scratch "$${TMPDIR:-/tmp}"
install: ; package/install
check: ; package/check
uninstall: ; package/uninstall
