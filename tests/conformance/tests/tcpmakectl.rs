//! tcpmakectl: beside tcprules, whose older name it is; the original of that name is not to be had.

use harness::{Run, Side};

fn compile(side: &Side, program: &str, rules: &str) -> Run {
    side.command([program, "cdb", "tmp"]).stdin(rules).run()
}

#[test]
fn it_makes_what_tcprules_makes() {
    let side = Side::ours();
    for rules in ["", "1.2.3.4:deny\n:allow,A=\"b\"\n", "10.0.0.0/9:deny\n2001:db8::1:deny\n"] {
        assert_eq!(compile(&side, "tcprules", rules).exit, 0);
        let expected = side.read("cdb");
        side.write("cdb", "");
        let run = compile(&side, "tcpmakectl", rules);
        assert_eq!((run.exit, run.stdout, run.stderr), (0, vec![], vec![]));
        assert_eq!(side.read("cdb"), expected);
    }
}

#[test]
fn it_complains_under_its_own_name() {
    let side = Side::ours();
    let run = side.run(["tcpmakectl", "cdb"]);
    assert_eq!(run.stderr, b"tcpmakectl: usage: tcpmakectl rules.cdb rules.tmp\n");
    assert_eq!(run.exit, 100);
    let run = compile(&side, "tcpmakectl", "x\n");
    assert_eq!(run.stderr, b"tcpmakectl: fatal: unable to parse this line: x\n");
    assert_eq!(run.exit, 100);
    assert!(!side.path().join("tmp").exists());
}
