//! softlimit — run another program with new soft limits.

use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use daemontools::limits::{self, Wish};
use prog::{Args, Chain, Fatal, OrFatal, Program};

const SOFTLIMIT: Program = Program::new(
    "softlimit",
    "[-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] [-m membytes] \
     [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] [-t cpusecs] child",
);

fn main() -> ExitCode {
    prog::main(SOFTLIMIT, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut wishes = Vec::new();
    while let Some(option) = args.option(b"a:c:d:f:l:m:o:p:r:s:t:")? {
        let wish = Wish::parse(option.value.as_bytes()).ok_or_else(|| args.usage())?;
        wishes.push((option.letter, wish));
    }
    let mut next = args.chain()?;

    for (letter, wish) in wishes {
        for &resource in limits::resources(letter) {
            let (_, hard) = unix::limit::get(resource).or_fatal("getrlimit failed")?;
            let soft = wish.below(hard);
            if limits::is_mishap(resource, soft) {
                let what = (soft, " bytes of address space are too few for most programs");
                SOFTLIMIT.warning(what, ());
            }
            next.limit(resource, soft, hard);
        }
    }
    Ok(next)
}
