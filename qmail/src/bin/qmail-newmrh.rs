//! qmail-newmrh — prepare the hosts of control/morercpthosts for qmail-smtpd.

use std::process::ExitCode;

use prog::Program;
use qmail::compiled::compile;

const QMAIL_NEWMRH: Program = Program::new("qmail-newmrh", "");

fn main() -> ExitCode {
    prog::main(QMAIL_NEWMRH, |_| compile("morercpthosts"))
}
