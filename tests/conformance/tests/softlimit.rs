//! softlimit beside the original.

use harness::case;

#[test]
fn a_program_is_needed() {
    case(|side| side.run(["softlimit"])).same();
    case(|side| side.run(["softlimit", "-o", "20"])).same();
}

#[test]
fn what_is_no_option_is_wrong_usage() {
    case(|side| side.run(["softlimit", "-z", "true"])).same();
    case(|side| side.run(["softlimit", "-c"])).same();
}

#[test]
fn a_limit_is_a_number_or_an_equals_sign() {
    for value in ["x", "5k", "-1", "==", "=5", " 5"] {
        case(|side| side.run(["softlimit", "-c", value, "true"])).same();
    }
}

#[test]
fn no_digits_are_no_number() {
    case(|side| side.run(["softlimit", "-c", "", "true"])).differing_exit(100, 0);
}

#[test]
fn each_option_sets_its_limit_and_leaves_the_hard_one() {
    for option in ["-a", "-c", "-d", "-f", "-l", "-m", "-p", "-r", "-s", "-t"] {
        let script = "ulimit -Sa; ulimit -Ha";
        case(|side| side.run(["softlimit", option, "40000000", "sh", "-c", script])).same();
        case(|side| side.run(["softlimit", option, "=", "sh", "-c", script])).same();
    }
    case(|side| side.run(["softlimit", "-o", "20", "sh", "-c", "ulimit -Sn; ulimit -Hn"])).same();
}

#[test]
fn a_soft_limit_is_never_above_the_hard_one() {
    let script = "ulimit -n 64; exec softlimit -o 1000 sh -c 'ulimit -Sn'";
    case(|side| side.run(["sh", "-c", script])).same();
    let script = "ulimit -n 64; exec softlimit -o 99999999999999999999 sh -c 'ulimit -Sn'";
    case(|side| side.run(["sh", "-c", script])).same();
}

#[test]
fn the_last_option_counts() {
    let script = "ulimit -Sd; ulimit -Sv";
    let words = ["softlimit", "-m50000000", "-d", "60000000", "-a70000000", "sh", "-c", script];
    case(|side| side.run(words)).same();
}

#[test]
fn no_processes_still_allow_exec() {
    case(|side| side.run(["softlimit", "-p0", "echo", "./nonexistent"])).same();
}

#[test]
fn too_little_memory_is_warned_of() {
    case(|side| side.run(["softlimit", "-m", "100000", "/bin/true"]))
        .differing_stderr(
            "softlimit: warning: 100000 bytes of address space are too few for most programs\n",
            "",
        )
        .same_exit();
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| side.run(["softlimit", "./nonexistent"])).same();
}
