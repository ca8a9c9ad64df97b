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

/// What is waited for before the next command: a command that must succeed within a minute.
const WAIT: &str = r#"
until_() { n=0; until eval "$1"; do n=$((n + 1)); [ $n -lt 6000 ] || { echo "in vain: $1"; exit 1; }; sleep 0.01; done; }
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

/// How a command begins that goes on for ever.
const ENDLESS: &str = "tail -F ";

/// The command of a task that goes on for ever.
fn endless(task: u32) -> String {
    let prompt = format!("# {ENDLESS}");
    lines(task).into_iter().find(|line| line.starts_with(&prompt)).expect("it")[2..].to_owned()
}

/// What a task has an ordinary user type.
fn typed_by_a_user(task: u32) -> Vec<String> {
    let lines = lines(task).into_iter();
    lines.filter_map(|line| Some(line.strip_prefix("$ ")?.to_owned())).collect()
}

/// What a task has root type: the lines with a prompt, without what is explained behind them, and the
/// lines of their here-documents. What goes on for ever is [`endless`].
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
            line.strip_prefix("# ").filter(|line| !line.starts_with(ENDLESS))
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
    let follow = endless(4);
    let script = format!(
        r#"
        svscan /service & scanner=$!
        {add}
        up /service/hello
        {log}
        up /service/hello/log
        svc -t -W R -T 60000 /service/hello
        until_ 'grep -q hello /service/hello/log/main/current'
        svc -a /service/hello/log; until_ '[ -e /service/hello/log/main/@* ]'
        ( {read} ) > read
        grep -q '^20[0-9-]* [0-9:.]* hello$' read
        setsid sh -c '{follow}' > followed & follower=$!
        svc -t /service/hello; until_ 'grep -q "^20.* hello$" followed'
        # The file is turned over under its reader.
        svc -a /service/hello/log; until_ '[ ! -s /service/hello/log/main/current ]'
        svc -t /service/hello; until_ '[ $(grep -c "^20.* hello$" followed) -ge 2 ]'
        kill -- -$follower
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

/// Stands for crontab(1) where there is none: `-l` shows the table, `-` replaces it.
const CRONTAB: &str = r#"#!/bin/sh
case $1 in
  -l) cat "$HOME/.crontab" 2> /dev/null || { echo "no crontab" >&2; exit 1; } ;;
  -) cat > "$HOME/.crontab.new"; mv "$HOME/.crontab.new" "$HOME/.crontab" ;;
esac
"#;

#[test]
fn an_ordinary_user_has_services_now_and_after_the_next_boot() {
    let mine = typed_by_a_user(10);
    let [make, remember, start] = mine.as_slice() else { panic!("{mine:?}") };
    let crontab = CRONTAB;
    let script = format!(
        r#"
        cat > /command/crontab <<'END'
{crontab}END
        chmod 755 /command/crontab
        install -d -o nobody /tmp/home
        printf '#!/bin/sh\nexec setuidgid nobody env HOME=/tmp/home "$@"\n' > /command/user
        chmod 755 /command/user
        x=/tmp/home/service/x
        user sh -c '{make}'
        user mkdir $x
        printf '#!/bin/sh\nexec sleep 600\n' | user tee $x/run > /dev/null
        chmod 755 $x/run
        user sh -c '{remember}'
        user sh -c '{start} echo $! > /tmp/scanner; wait $!' & shell=$!
        up $x
        user svc -t -W R $x
        ! setuidgid daemon svc -t $x || exit 1
        stat -c %U /proc/$(pid $x)
        kill $(cat /tmp/scanner); wait $shell
        ! svok $x || exit 1
        # The next boot: cron runs what the table says.
        line=$(user crontab -l | sed -n 's/^@reboot //p')
        user sh -c "exec $line" & cron=$!
        up $x
        stat -c %U /proc/$(pid $x)
        kill $cron; wait $cron; echo "cron $?"
        "#,
    );
    let Some(said) = machine(&script) else { return };
    assert_eq!(said.matches("nobody\n").count(), 2, "{said}");
    assert!(said.contains("access denied"), "{said}");
    assert!(said.contains("cron 0\n"), "{said}");
}

/// The words of the line of task 10 that makes svscan all that a container starts.
fn entrypoint() -> String {
    let line = lines(10).into_iter().find_map(|line| {
        Some(line.strip_prefix("ENTRYPOINT [\"")?.strip_suffix("\"]")?.to_owned())
    });
    line.expect("an ENTRYPOINT").replace("\", \"", " ")
}

#[test]
fn a_container_takes_in_orphans_and_ends_in_order() {
    let entrypoint = entrypoint();
    let script = format!(
        r#"
        mkdir -p /service/web/log /service/fork
        cat > /service/web/run <<'END'
#!/bin/sh
trap 'kill $!; echo last words; exit' TERM
echo up
sleep 600 & wait
END
        printf '#!/bin/sh\nexec multilog ./main\n' > /service/web/log/run
        # Its daemon forks away.
        cat > /service/fork/run <<'END'
#!/bin/sh
sh -c 'setsid sh -c "echo \$\$ > daemon.new; mv daemon.new daemon; exec sleep 600" &'
exec sleep 600
END
        chmod 755 /service/*/run /service/web/log/run
        main=/service/web/log/main/current
        unshare --pid --mount --fork --kill-child --mount-proc {entrypoint} & container=$!
        up /service/web; up /service/fork
        until_ 'grep -q up $main && [ -s /service/fork/daemon ]'
        echo == crash
        svc -k -W r /service/web
        until_ '[ $(grep -c up $main) = 2 ]'
        svstat -t /service/web
        echo == orphan
        # In the container the first svscan is process 1; its children have been looked after.
        first=$(cat /proc/$container/task/$container/children)
        tr '\0' ' ' < /proc/${{first% }}/cmdline; echo
        nsenter --pid --mount --root --wd --target ${{first% }} sh -c '
          cat /proc/1/comm
          read -r daemon < /service/fork/daemon
          sed -n "s/^PPid:.//p" /proc/$daemon/status | while read -r parent; do tr "\0" " " < /proc/$parent/cmdline; echo; done
          n=0; while grep -qs "^State:.Z" /proc/[0-9]*/status; do
            n=$((n + 1)); [ $n -lt 2000 ] || exit; sleep 0.01
          done'
        echo == stop
        kill -TERM ${{first% }}
        wait $container; echo "container $?"
        cat $main; stat -c %a $main
        "#,
    );
    let Some(said) = machine(&script) else { return };
    let has = |text: &str| assert!(said.contains(text), "no {text:?} in {said}");
    has("KILL, ");
    has(&format!("== orphan\n{entrypoint} \nsvscan\nsupervise fork \n== stop\n"));
    has("== stop\ncontainer 0\nup\nup\nlast words\n744\n");
}
