//! pgrphack beside the original.

use harness::case;

#[test]
fn a_program_is_needed() {
    case(|side| side.run(["pgrphack"])).same();
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| side.run(["pgrphack", "./nonexistent"])).same();
}

/// Whether the shell leads its session and its process group.
const LEADS: &str = "read -r pid x x x group session x < /proc/$$/stat; \
                     [ $pid = $group ] && echo group; [ $pid = $session ] && echo session; exit 7";

#[test]
fn the_program_leads_a_session_and_a_process_group() {
    let case = case(|side| side.run(["sh", "-c", "pgrphack sh -c \"$0\"; echo $?", LEADS]));
    assert_eq!(case.ours().run.stdout, b"group\nsession\n7\n");
    case.same();
}

#[test]
fn one_that_leads_a_group_already_stays_where_it_is() {
    // The harness starts each program as the leader of a group, and then there is no new session.
    case(|side| side.run(["pgrphack", "sh", "-c", LEADS])).same();
}

#[test]
fn arguments_and_environment_stay() {
    let words = ["pgrphack", "sh", "-c", "echo \"$1\" $KEPT; pwd", "-", "two words"];
    case(|side| side.command(words).env("KEPT", "yes").run()).same();
}

/// What no part of the path has is not there; what may lie where nobody may look is denied.
#[test]
fn the_path_is_searched_to_its_end() {
    case(|side| {
        side.script("open/tool", "#!/bin/sh\necho found\n");
        side.directory("closed");
        side.mode("closed", 0);
        let run = |words: [&str; 2], path: &str| {
            side.command(words).env("PATH", format!("{path}:/bin:/usr/bin")).as_user().run()
        };
        let pgrphack = side.program("pgrphack");
        let pgrphack = pgrphack.to_str().unwrap();
        let runs = [
            run([pgrphack, "tool"], "closed:open"),
            run([pgrphack, "nonexistent"], "open"),
            run([pgrphack, "nonexistent"], "closed:open"),
        ];
        side.mode("closed", 0o755);
        let all = |of: fn(&harness::Run) -> &Vec<u8>| runs.iter().flat_map(of).copied().collect();
        let (stdout, stderr) = (all(|run| &run.stdout), all(|run| &run.stderr));
        harness::Run { stdout, stderr, exit: runs[2].exit }
    })
    .same();
}
