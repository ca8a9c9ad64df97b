//! qmail-newmvrt — prepare the recipients of control/morevalidrcptto for qmail-smtpd.

use std::process::ExitCode;

use prog::Program;
use qmail::compiled::compile;

const QMAIL_NEWMVRT: Program = Program::new("qmail-newmvrt", "");

fn main() -> ExitCode {
    prog::main(QMAIL_NEWMVRT, |_| compile("morevalidrcptto"))
}
