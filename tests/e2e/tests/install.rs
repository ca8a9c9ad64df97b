//! `package/install`, `check` and `uninstall`, in a copy of this machine's file system that is gone
//! afterwards, with processes and a network of its own. Needs root.

use std::fs;
use std::path::Path;

use harness::{Side, skipped_for};

/// Makes the copy, then runs `script` in it, where the checkout is `/checkout`.
const MACHINE: &str = r#"
set -eu
script=$1
unset QMAILHOME
mount -t tmpfs tmpfs machine
cd machine
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
rm -rf checkout service command package var/qmail var/log/qmail etc/tcp.smtp* etc/inittab
mkdir checkout
mount --bind ../../checkout checkout
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /dev dev
echo 0x9 > sys/class/net/lo/flags # up, without a program for it
for name in sendmail; do rm -f usr/sbin/$name usr/lib/$name; done
for account in alias qmaild qmaill qmailp qmailq qmailr qmails; do
  sed -i "/^$account:/d" etc/passwd etc/shadow
done
sed -i '/^\(nofiles\|qmail\):/d' etc/group
exec chroot . sh -eu -c "$script"
"#;

/// Runs a script on a machine of its own; `None` where that cannot be had.
fn machine(script: &str) -> Option<String> {
    let side = Side::ours();
    let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child"];
    let unshare = [&["unshare"], &namespaces[..], &["--propagation", "private"]].concat();
    if side.run([&unshare[..], &["mount", "-t", "tmpfs", "tmpfs", "/mnt"]].concat()).exit != 0 {
        skipped_for("only root can install, and only where it may have namespaces");
        return None;
    }
    check_out(&side);
    side.directory("machine");
    let run = side.run([&unshare[..], &["sh", "-c", MACHINE, "sh", script]].concat());
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(run.exit, 0, "{said}");
    Some(said)
}

/// What the scripts need of a checkout after `package/compile`.
fn check_out(side: &Side) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout");
    let copied = side.path().join("checkout");
    let copy = |from: &Path, to: &str| {
        let to = copied.join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        harness::place(from, &to).expect("a copy");
    };
    let sources = side.run(["find", &top.join("package").to_string_lossy(), "-type", "f"]).stdout;
    for path in String::from_utf8_lossy(&sources).lines() {
        let path = Path::new(path);
        copy(path, &path.strip_prefix(top).expect("below").to_string_lossy());
    }
    copy(&top.join("Cargo.toml"), "Cargo.toml");
    for list in fs::read_dir(top.join("package/files")).expect("manifests").flatten() {
        for line in fs::read_to_string(list.path()).expect("a manifest").lines() {
            let Some(source) = line.split(' ').nth(4) else { continue };
            if let Some(name) = source.strip_prefix("bin:") {
                copy(&program(side, top, name), &format!("target/command/{name}"));
            } else if let Some(page) = source.strip_prefix("man:") {
                copy(&top.join(page), page);
            }
        }
    }
}

/// A program, or a script where the programs are a plain build's.
fn program(side: &Side, top: &Path, name: &str) -> std::path::PathBuf {
    let scripts = ["daemontools", "qmail", "ucspi-tcp"].map(|package| top.join(package));
    let scripts = scripts.iter().map(|package| package.join("scripts").join(name));
    let mut all = [side.programs().join(name)].into_iter().chain(scripts);
    all.find(|path| path.is_file()).unwrap_or_else(|| panic!("no {name}"))
}

/// The lines of `said` from the line `start` to the line `end`.
fn between<'a>(said: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    said.lines().skip_while(|line| *line != start).skip(1).take_while(|line| *line != end).collect()
}

/// Installs, and prints everything that lies where an installation changes something.
const INSTALLED: &str = r"
tree() {
  find / /etc /usr/local /usr/sbin/sendmail /usr/lib/sendmail /var/log /var/qmail /service /package /command \
    -maxdepth 1 -printf '%p %M %u %g\n' 2>/dev/null | grep -v '^/etc/\(passwd\|group\|g\?shadow\|sub.id\)' | sort -u
  find /usr/local /var/qmail /var/log/qmail -printf '%p %M %u %g\n' 2>/dev/null | sort
}
tree > /tmp/before
/checkout/package/install mail.example.org > /tmp/install 2>&1 || { cat /tmp/install; exit 1; }
";

/// Runs `svscan` as a container does, and waits for the SMTP service.
const STARTED: &str = r#"
useradd -m daisy
/command/setuidgid daisy /var/qmail/bin/maildirmake /home/daisy/Maildir
printf './Maildir/\n|{ id -un; id -Gn; } > who\n' > /home/daisy/.qmail
chown daisy /home/daisy/.qmail
/command/svscan /service &
svscan=$!
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/25 && read -r line <&3' 2>/dev/null; do :; done
smtp() { # RECIPIENT: sends a message; the conversation stays open until the file /tmp/go is there
  bash -c '
    exec 3<>/dev/tcp/127.0.0.1/25
    hear() { read -r line <&3; case $line in $1*) ;; *) echo "$line"; exit 1 ;; esac; }
    hear 220
    printf "HELO client\r\nMAIL FROM:<a@b.example>\r\n" >&3; hear 250; hear 250
    printf "RCPT TO:<%s>\r\nDATA\r\n" "$1" >&3; hear 250; hear 354
    printf "Subject: hello\r\n\r\nhello\r\n.\r\n" >&3; hear 250
    until [ -e /tmp/go ]; do :; done' bash "$1"
}
"#;

#[test]
fn mail_arrives_on_an_installed_host_and_each_process_is_who_it_should_be() {
    let script = r#"
smtp daisy@mail.example.org & client=$!
until [ "$(ls /home/daisy/Maildir/new)" ]; do :; done
until [ -s /home/daisy/who ]; do :; done
smtp root@mail.example.org & second=$!
until [ "$(ls /var/qmail/alias/Maildir/new)" ]; do :; done
# What has delivered them comes to its end a moment later.
until ! cat /proc/[0-9]*/comm 2>/dev/null | grep -q 'qmail-local\|qmail-getpw'; do :; done
echo MAIL
stat -c '%U %G %a' /home/daisy/Maildir/new/* /var/qmail/alias/Maildir/new/*
cat /home/daisy/who
echo PROCESSES
for process in /proc/[0-9]*; do
  name=$(cat $process/comm) uid=$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' $process/status)
  gid=$(sed -n 's/^Gid:\t\([0-9]*\).*/\1/p' $process/status)
  case $name in sh | bash | cat | sed | sort) continue ;; esac
  echo "$name" $(getent passwd $uid | cut -d: -f1) $(getent group $gid | cut -d: -f1)
done 2>/dev/null | sort -u
echo SENDMAIL
rm /home/daisy/who
echo 'To: daisy' | /command/setuidgid daisy /usr/sbin/sendmail -t
until [ -s /home/daisy/who ]; do :; done
ls /home/daisy/Maildir/new | wc -l
: > /tmp/go; wait $client $second
echo STATUS
for service in qmail-send qmail-smtpd; do
  /command/svstat /service/$service /service/$service/log | sed 's/(pid.*//'
done
ls /var/log/qmail/*/current
kill $svscan; wait $svscan
# The last daemons see that qmail-send has ended.
until ! cat /proc/[0-9]*/comm 2>/dev/null | grep -q 'svscan\|supervise\|qmail\|multilog'; do :; done
echo END
"#;
    let Some(said) = machine(&[INSTALLED, STARTED, script].concat()) else { return };
    let mail = between(&said, "MAIL", "PROCESSES");
    assert_eq!(mail, ["daisy daisy 600", "alias qmail 600", "daisy", "daisy"], "{said}");
    // The trust table of doc/architecture.md.
    let processes = [
        "multilog qmaill nofiles",
        "qmail-clean qmailq qmail",
        "qmail-lspawn root qmail",
        "qmail-queued qmailq qmail",
        "qmail-rspawn qmailr qmail",
        "qmail-send qmails qmail",
        "qmail-smtpd qmaild nofiles",
        "supervise root root",
        "svscan root root",
        "tcpserver qmaild nofiles",
    ];
    assert_eq!(between(&said, "PROCESSES", "SENDMAIL"), processes, "{said}");
    assert_eq!(between(&said, "SENDMAIL", "STATUS"), ["2"], "{said}");
    let status = [
        "/service/qmail-send: up ",
        "/service/qmail-send/log: up ",
        "/service/qmail-smtpd: up ",
        "/service/qmail-smtpd/log: up ",
        "/var/log/qmail/qmail-send/current",
        "/var/log/qmail/qmail-smtpd/current",
    ];
    assert_eq!(between(&said, "STATUS", "END"), status, "{said}");
}

#[test]
fn everything_is_given_back_but_the_mail_and_what_the_administrator_wrote() {
    let script = r"
printf 'daisy@mail.example.org\n' > /var/qmail/alias/.qmail-daisy
/checkout/package/uninstall > /tmp/uninstall 2>&1 || { cat /tmp/uninstall; exit 1; }
tree > /tmp/after
echo LEFT
diff /tmp/before /tmp/after | grep '^[<>]' | grep -v '^> /var/qmail/queue/' || :
echo RUNNING
for process in /proc/[0-9]*; do cat $process/comm 2>/dev/null || :; done | grep 'qmail\|multilog\|supervise' || :
kill $svscan
echo END
";
    let Some(said) = machine(&[INSTALLED, STARTED, script].concat()) else { return };
    let left = between(&said, "LEFT", "RUNNING");
    let kept = ["/var/qmail", "/var/qmail/alias", "/var/qmail/control", "/var/qmail/users"];
    let is_kept = |line: &&str| {
        let path = line.strip_prefix("> ").and_then(|rest| rest.split(' ').next());
        path.is_some_and(|path| {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            kept.contains(&path)
                || kept[1..].contains(&folder)
                || path == "/var/qmail/queue"
                || folder.starts_with("/var/qmail/alias/Maildir")
        })
    };
    let others: Vec<&str> = left.iter().filter(|line| !is_kept(line)).copied().collect();
    assert_eq!(others, Vec::<&str>::new(), "{said}");
    assert!(left.contains(&"> /var/qmail/alias/.qmail-daisy -rw-r--r-- root qmail"), "{said}");
    assert!(left.iter().any(|line| line.starts_with("> /var/qmail/control/me ")), "{said}");
    assert_eq!(between(&said, "RUNNING", "END"), Vec::<&str>::new(), "{said}");
}

#[test]
fn a_second_install_mends_what_is_damaged_and_leaves_what_the_administrator_wrote() {
    let script = r"
check() { /checkout/package/check || :; }
echo FIRST; check | sed 's/[0-9]* paths/N paths/'
echo SECOND
cd /var/qmail
chmod 755 bin/qmail-queue
chown daisy bin/qmail-lspawn
chgrp root queue/todo
rm bin/qmail-send queue/lock/trigger /usr/local/share/man/man8/svc.8 /command/svc
mkdir queue/lock/trigger
echo '# changed' >> bin/config-fast
ln -sfn /elsewhere /service/qmail-send
rm -r queue/mess/7
check
rmdir queue/lock/trigger
echo THIRD
echo other.example > control/me
echo extra.example >> control/rcpthosts
echo '# mine' >> supervise/qmail-smtpd/run
echo '10.:deny' > /etc/tcp.smtp
cat control/* supervise/*/run /etc/tcp.smtp > /tmp/mine
/checkout/package/install other.example > /tmp/install 2>&1 || cat /tmp/install
cat control/* supervise/*/run /etc/tcp.smtp | cmp - /tmp/mine && check | sed 's/[0-9]* paths/N paths/'
stat -c '%U %G %a' bin/qmail-queue bin/qmail-lspawn queue/mess/7
TCPREMOTEIP=10.1.1.1 /command/tcprulescheck /etc/tcp.smtp.cdb | head -n 1
/checkout/package/uninstall
cat supervise/qmail-smtpd/run | tail -n 1; cat /etc/tcp.smtp
echo END
";
    let script = [INSTALLED, "useradd -m daisy\n", script].concat();
    let Some(said) = machine(&script) else { return };
    assert_eq!(between(&said, "FIRST", "SECOND"), ["check: N paths as they should be"], "{said}");
    let damage = [
        "check: /command/svc is not a link to /package/daisychain/command/svc",
        "check: /usr/local/share/man/man8/svc.8 does not exist",
        "check: /var/qmail/bin/config-fast is not the file of this tree",
        "check: /var/qmail/bin/qmail-lspawn has wrong owner",
        "check: /var/qmail/bin/qmail-queue has wrong permissions",
        "check: /var/qmail/bin/qmail-send does not exist",
        "check: /var/qmail/queue/lock/trigger has wrong type",
        "check: /var/qmail/queue/lock/trigger has wrong owner",
        "check: /var/qmail/queue/lock/trigger has wrong group",
        "check: /var/qmail/queue/lock/trigger has wrong permissions",
        "check: /var/qmail/queue/mess/7 does not exist",
        "check: /var/qmail/queue/todo has wrong group",
        "check: /service/qmail-send is not a link to /var/qmail/supervise/qmail-send",
    ];
    assert_eq!(between(&said, "SECOND", "THIRD"), damage, "{said}");
    let mended = [
        "check: N paths as they should be",
        "qmailq qmail 4711",
        "root qmail 700",
        "qmailq qmail 750",
        "rule 10.:",
        "uninstall: /etc/tcp.smtp was changed: left alone",
        "uninstall: /var/qmail/supervise/qmail-smtpd/run was changed: left alone",
        "uninstall: kept: alias, control, queue and users of /var/qmail, and the accounts that own them",
        "# mine",
        "10.:deny",
    ];
    assert_eq!(between(&said, "THIRD", "END"), mended, "{said}");
}

#[test]
fn services_are_started_at_boot_as_the_machine_does_it() {
    let script = r#"
mkdir /tmp/fake; PATH=/tmp/fake:$PATH
printf '#!/bin/sh\necho systemctl "$@"\n' > /tmp/fake/systemctl; chmod 755 /tmp/fake/systemctl
mkdir -p /run/systemd/system /etc/systemd/system
echo SYSTEMD
/checkout/package/install | grep systemctl
/checkout/package/check > /dev/null && echo good
/checkout/package/uninstall | grep systemctl
ls /etc/systemd/system | grep -c svscan || :
rmdir /run/systemd/system
echo INIT
trap : HUP
printf 'id:2:initdefault:\n' > /etc/inittab
ln -sf $(readlink -f /bin/sleep) /tmp/fake/init
printf init > /proc/1/comm
/checkout/package/install > /dev/null; /checkout/package/install > /dev/null; cat /etc/inittab
/checkout/package/check > /dev/null && echo good
/checkout/package/uninstall > /dev/null; cat /etc/inittab
printf '::sysinit:/etc/rc\n' > /etc/inittab
/checkout/package/install > /dev/null; cat /etc/inittab
echo END
"#;
    let Some(said) = machine(&[INSTALLED, script].concat()) else { return };
    let systemd = [
        "systemctl daemon-reload",
        "systemctl enable --now svscan.service",
        "good",
        "systemctl disable --now svscan.service",
        "systemctl daemon-reload",
        "0",
    ];
    assert_eq!(between(&said, "SYSTEMD", "INIT"), systemd, "{said}");
    let inittab = [
        "id:2:initdefault:",
        "SV:123456:respawn:/command/svscanboot",
        "good",
        "id:2:initdefault:",
        "::sysinit:/etc/rc",
        "::respawn:/command/svscanboot",
    ];
    assert_eq!(between(&said, "INIT", "END"), inittab, "{said}");
}
