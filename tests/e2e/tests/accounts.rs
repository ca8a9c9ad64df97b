//! The installed form: accounts, set-uid, and who runs as whom. Needs root, for a mount namespace
//! with an account database and a /var of its own.

use harness::{Run, Side, skipped_for};

/// Makes the host by the manifest, then runs `script` in it. `$work` is the case's directory, which
/// everybody may write to; programs that the tree does not have yet are passed over.
const HOST: &str = r#"
set -eu
work=$PWD; script=$3
# The checkout may lie below /var, which is about to be another.
mkdir programs
mount --bind "$1" programs
cp "$2" manifest
mount -t tmpfs tmpfs /var
for base in passwd group; do
  cat /etc/$base > $base
  cat >> $base < $base.more
  mount --bind $base /etc/$base
done
while read -r path owner group mode source; do
  case $path:$source in
    var/*:dir) install -d -o $owner -g $group -m $mode /$path ;;
    var/*:fifo) mkfifo /$path; chown $owner:$group /$path; chmod $mode /$path ;;
    var/*:zeros:*) head -c ${source#zeros:} /dev/zero > /$path; chown $owner:$group /$path ;;
    var/*:bin:*)
      if [ -e programs/${source#bin:} ]; then
        install -o $owner -g $group -m $mode programs/${source#bin:} /$path
      fi ;;
  esac
done < manifest
export work; chmod 1777 $work
as() { user=$1; shift; setpriv --reuid $user --regid nofiles --clear-groups "$@"; }
cd /var/qmail
eval "$script"
"#;

const PASSWD: &str = "alias:x:7790:2107::/var/qmail/alias:/bin/true
qmaild:x:7791:2107::/var/qmail:/bin/true
qmaill:x:7792:2107::/var/qmail:/bin/true
qmailp:x:7793:2107::/var/qmail:/bin/true
qmailq:x:7794:2108::/var/qmail:/bin/true
qmailr:x:7795:2108::/var/qmail:/bin/true
qmails:x:7796:2108::/var/qmail:/bin/true
daisy:x:7797:7797::/home/daisy:/bin/true
";

const GROUP: &str = "nofiles:x:2107:
qmail:x:2108:
more:x:2109:qmailr
daisy:x:7797:
others:x:7798:daisy
";

/// Runs a script on an installed host; `None` without root.
fn installed(script: &str) -> Option<String> {
    let side = Side::ours();
    if side.run(["unshare", "-m", "true"]).exit != 0 {
        skipped_for("root, for a mount namespace");
        return None;
    }
    side.write("passwd.more", PASSWD);
    side.write("group.more", GROUP);
    side.write("host", HOST);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../package/files/qmail");
    let programs = side.programs().display().to_string();
    let words = ["unshare", "-m", "--propagation", "private", "sh", "host", &programs, manifest];
    let words = [&words[..], &[script]].concat();
    let Run { stdout, stderr, exit } = side.command(words).unset("QMAILHOME").run();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!((exit, stderr.as_str()), (0, ""));
    Some(String::from_utf8_lossy(&stdout).into_owned())
}

#[test]
fn anybody_queues_mail_as_the_owner_of_the_queue() {
    let script = r"
        printf 'Fa@b\0Tc@d\0\0' > $work/envelope
        for user in alias qmaild qmails daisy; do
          # $QMAILHOME is not looked at by a set-uid program
          echo x | QMAILHOME=/nowhere as $user bin/qmail-queue 1< $work/envelope
          cat queue/mess/*/* | sed -n 's/^Received: (qmail [0-9]* \(.*\); .*/\1/p'
          stat -c '%U %a' queue/mess/*/* queue/todo/*
          cat queue/todo/* | tr '\0' '\n' | sed -n 's/^u/uid /p'
          rm queue/mess/*/* queue/todo/* queue/intd/*
        done
    ";
    let Some(said) = installed(script) else { return };
    let expected = [("by alias", 7790), ("from network", 7791), ("for bounce", 7796)]
        .map(|(words, uid)| format!("invoked {words})\nqmailq 644\nqmailq 644\nuid {uid}\n"))
        .join("");
    let daisy = "invoked by uid 7797)\nqmailq 644\nqmailq 644\nuid 7797\n";
    assert_eq!(said, expected + daisy);
}

#[test]
fn each_daemon_runs_under_its_own_account() {
    let script = r#"
        mkdir $work/fake
        for name in qmail-lspawn qmail-rspawn qmail-clean logger qmail-send; do
          printf '#!/bin/sh\n{ id -un; id -Gn; } > %s/who.%s.part\n' $work $name > $work/fake/$name
          echo "mv $work/who.$name.part $work/who.$name" >> $work/fake/$name
        done
        echo "for name in qmail-lspawn qmail-rspawn qmail-clean logger; do
                until [ -e $work/who.\$name ]; do :; done
              done" >> $work/fake/qmail-send
        chmod 755 $work/fake/*
        PATH=$work/fake:$PATH bin/qmail-start ./Mailbox logger
        for name in qmail-lspawn qmail-rspawn qmail-clean logger qmail-send; do
          echo $name: $(cat $work/who.$name)
        done
    "#;
    let Some(said) = installed(script) else { return };
    let expected = "qmail-lspawn: root qmail\n\
                    qmail-rspawn: qmailr qmail more\n\
                    qmail-clean: qmailq qmail\n\
                    logger: qmaill nofiles\n\
                    qmail-send: qmails qmail\n";
    assert_eq!(said, expected);
}

/// Stand-ins, and a message; then a command for `$1`, and the report without its zero bytes.
const DELIVER: &str = r#"
    printf '#!/bin/sh\nid -un; id -Gn; echo to $4\n' > bin/qmail-local
    printf '#!/bin/sh\n{ id -un; id -Gn; } >> %s/groups\n' $work > bin/qmail-getpw
    cat >> bin/qmail-getpw << 'END'
case $1 in
  daisy*) printf '%s\0' daisy 7797 7797 /home/daisy - "" ;;
  root*) printf '%s\0' root 0 0 /root - "" ;;
esac
END
    chmod 755 bin/qmail-local bin/qmail-getpw
    echo x > queue/mess/7/7; chown qmailq queue/mess/7/7
    deliver() { printf '\1%s\0\0%s\0' $1 $2 | bin/qmail-lspawn ./Mailbox | tr -d '\0\1'; echo; }
"#;

#[test]
fn the_door_of_the_queue_is_open_to_all_if_the_queue_program_is() {
    let script = r"
        mkdir $work/fake
        for daemon in qmail-lspawn qmail-rspawn qmail-clean qmail-send; do
          printf '#!/bin/sh\n' > $work/fake/$daemon
          chmod 755 $work/fake/$daemon
        done
        look() {
          chown $1 bin/qmail-queue; chmod $2 bin/qmail-queue
          PATH=$work/fake:$PWD/bin:$PATH bin/qmail-start
          if [ -e run/queue ]; then stat -c '%A %U' run/queue; else echo none; fi
          rm -rf run
        }
        look qmailq 4711; look qmailq 4710; look qmailq 711; look qmailr 4711
        mkdir $work/elsewhere; ln -s $work/elsewhere run; look qmailq 4711
        mkdir -m 775 run; look qmailq 4711
        mkdir -m 755 run; look qmailq 4711
    ";
    let Some(said) = installed(script) else { return };
    let open = "srw-rw-rw- root\n";
    assert_eq!(said, format!("{open}none\nnone\nnone\nnone\nnone\n{open}"));
}

#[test]
fn a_delivery_runs_as_the_user_and_nobody_s_runs_as_root() {
    let script = format!("{DELIVER} deliver 7/7 daisy@h; deliver 7/7 root@h; sort -u $work/groups");
    let Some(said) = installed(&script) else { return };
    let expected = "xKdaisy\ndaisy\nto daisy\n\n\
                    xZNot allowed to perform deliveries as root.\n\n\
                    nofiles\nqmailp\n";
    assert_eq!(said, expected);
}

/// One qmail-lspawn for all commands, a message, and daisy's homes; then `deliver`: a command for her, where
/// the message is afterwards, or why not.
const ONE_SPAWNER: &str = r#"
    for home in one two; do
      mkdir -p $work/$home/Maildir/tmp $work/$home/Maildir/new
      chown -R daisy:daisy $work/$home
    done
    account() { grep -v ^daisy: /etc/passwd > $work/others; { cat $work/others; printf "$1"; } > /etc/passwd; }
    settled() { until [ $(($(date +%s) - $(stat -c %Z /etc/passwd))) -gt 3 ]; do :; done; }
    account "daisy:x:7797:7797::$work/one:/bin/true\n"; settled
    echo x > queue/mess/7/7; chown qmailq queue/mess/7/7
    mkfifo $work/commands
    bin/qmail-lspawn ./Maildir/ < $work/commands > $work/reports & spawner=$!
    exec 9> $work/commands
    reports() { tr -cd '\0' < $work/reports | wc -c; }
    deliver() {
      before=$(reports)
      printf '\1%s\0\0%s\0' 7/7 $1 >&9
      until [ $(reports) -gt $before ]; do :; done
      tr '\0' '\n' < $work/reports | tail -n 2 | grep -o 'Sorry.*' || :
      for home in one two; do
        for file in $work/$home/Maildir/new/*; do
          if [ -e $file ]; then echo $home; rm $file; fi
        done
      done
    }
    end() { exec 9>&-; wait $spawner; }
"#;

/// What qmail-getpw said is used again, but only while it would say the same.
#[test]
fn an_account_that_is_remembered_is_still_what_it_was() {
    let script = format!(
        r#"{ONE_SPAWNER}
        deliver daisy@h
        until [ -z "$(pgrep -P $spawner qmail-getpw)" ]; do :; done
        echo nobody is asked:; mv bin/qmail-getpw bin/aside; deliver daisy@h; mv bin/aside bin/qmail-getpw
        echo another has the home:; chown 7796 $work/one; deliver daisy@h
        echo it is hers:; chown daisy $work/one; deliver daisy@h; deliver daisy@h
        echo it has moved:; account "daisy:x:7797:7797::$work/two:/bin/true
"; deliver daisy@h
        settled; deliver daisy@h; deliver daisy@h
        echo it is gone:; mv $work/two $work/away; deliver daisy@h; mv $work/away $work/two; deliver daisy@h
        echo she is gone:; account ''; deliver daisy@h; settled; deliver daisy@h; deliver daisy@h
        end"#
    );
    let Some(said) = installed(&script) else { return };
    let none = "Sorry, no mailbox here by that name. (#5.1.1)
";
    let expected = format!(
        "one\n\
         nobody is asked:\none\n\
         another has the home:\n{none}\
         it is hers:\none\none\n\
         it has moved:\ntwo\ntwo\ntwo\n\
         it is gone:\n{none}two\n\
         she is gone:\n{none}{none}{none}"
    );
    assert_eq!(said, expected);
}

#[test]
fn a_message_that_is_not_the_queue_s_is_not_delivered() {
    let script = format!("{DELIVER} chown root queue/mess/7/7; deliver 7/7 daisy@h");
    let Some(said) = installed(&script) else { return };
    assert_eq!(said, "xZSorry, message has wrong owner. (#4.3.5)\n\n");
}

#[test]
fn an_account_that_is_missing_ends_what_needs_it() {
    let script = r"
        grep -v '^qmailq:' /etc/passwd > $work/passwd.less; mount --bind $work/passwd.less /etc/passwd
        code=0; bin/qmail-start || code=$?; echo qmail-start $code
        code=0; bin/qmail-lspawn x < /dev/null || code=$?; echo qmail-lspawn $code
        code=0; bin/qmail-rspawn < /dev/null || code=$?; echo qmail-rspawn $code
    ";
    let Some(said) = installed(script) else { return };
    assert_eq!(said, "qmail-start 111\nqmail-lspawn 111\nqmail-rspawn 111\n");
}
