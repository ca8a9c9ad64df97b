//! Programs that are kept for further connections, which the original does not do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use harness::{Side, until};

use super::{PLAIN, Server, compile};

/// A program that takes further connections, and does what clients say.
pub(super) const KEPT: &str = env!("CARGO_BIN_EXE_kept");

pub(super) fn start(side: &Side, options: &[&str], program: &[&str]) -> Server {
    Server::start(side, &[&PLAIN[..], &["-k20"], options].concat(), "127.0.0.1", program)
}

/// A client of that program.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    /// The process, how many clients it has had, and whether it is kept.
    pub(super) hello: (i32, u32, String),
}

impl Client {
    pub(super) fn of(server: &mut Server) -> Client {
        Client::on(server.connect("127.0.0.1", "127.0.0.1"))
    }

    pub(super) fn on(stream: TcpStream) -> Client {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let [pid, clients, kept] = words[..] else { panic!("{line:?}") };
        let hello = (pid.parse().unwrap(), clients.parse().unwrap(), kept.to_owned());
        Client { stream, hello }
    }

    pub(super) fn pid(&self) -> i32 {
        self.hello.0
    }

    /// Which of its process's clients it is.
    pub(super) fn place(&self) -> u32 {
        self.hello.1
    }

    pub(super) fn say(&mut self, line: &str) {
        self.stream.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn environment(&mut self) -> Vec<String> {
        self.say("environment");
        let lines = self.stream.by_ref().lines().map(Result::unwrap);
        lines.take_while(|line| line != ".").collect()
    }

    /// Says no more, and waits for the end.
    pub(super) fn end(mut self) {
        let _ = self.stream.get_mut().shutdown(Shutdown::Write); // it may be over
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest); // a reset is an end, too
        assert_eq!(rest, b"");
    }
}

/// Serves clients one after another; the last word of each says how its connection ends.
fn one_after_another(server: &mut Server, words: &[&str]) -> Vec<(i32, u32, String)> {
    let mut hellos = Vec::new();
    for (count, word) in (1..).zip(words) {
        let mut client = Client::of(server);
        hellos.push(client.hello.clone());
        client.say(word);
        client.end();
        server.ended(count);
    }
    hellos
}

#[test]
fn a_program_serves_one_client_after_another_and_the_log_looks_as_ever() {
    let words = ["log one", "code 100", "code 0", "exit 3", "code 7"];
    let side = Side::ours();
    let mut server = start(&side, &[], &[KEPT]);
    let hellos = one_after_another(&mut server, &words);
    let pid = |place: usize| hellos[place].0;
    let places: Vec<u32> = hellos.iter().map(|hello| hello.1).collect();
    assert_eq!(places, [1, 2, 3, 4, 1]);
    assert!(hellos[..4].iter().all(|hello| hello.0 == pid(0)) && pid(4) != pid(0));
    let log = String::from_utf8(server.background.stderr()).unwrap();
    let kept = server.stop(Vec::new());

    let clients = log.lines().filter_map(|line| Some(line.split_once("127.0.0.1::")?.1));
    let connections = clients.zip([0, 100, 0, 3, 7]).enumerate().map(|(place, (client, code))| {
        let (pid, status) = (pid(place), code * 256);
        let said = if place == 0 { "one\n" } else { "" };
        format!(
            "tcpserver: status: 1/40\ntcpserver: pid {pid} from 127.0.0.1\n\
             tcpserver: ok {pid} local:127.0.0.1:PORT :127.0.0.1::{client}\n{said}\
             tcpserver: end {pid} status {status}\ntcpserver: status: 0/40\n",
        )
    });
    let expected = "tcpserver: status: 0/40\n".to_owned() + &connections.collect::<String>();
    let port = |line: &str| match line.split_once("local:127.0.0.1:") {
        Some((before, after)) => {
            format!("{before}local:127.0.0.1:PORT {}\n", after.split_once(' ').unwrap().1)
        }
        None => format!("{line}\n"),
    };
    assert_eq!(log.lines().map(port).collect::<String>(), expected);

    // And it is the log of programs that serve one client each.
    let side = Side::ours();
    let mut server = start(&side, &["-k0"], &[KEPT]);
    assert!(one_after_another(&mut server, &words).iter().all(|hello| hello.2 == "alone"));
    assert_eq!(server.stop(Vec::new()), kept);
}

#[test]
fn each_client_s_environment_is_that_of_a_program_that_is_started() {
    let rules = "127.0.0.1:allow,A=\"one\",PATH_INFO=\"x\"\n\
        127.0.0.2:allow,B=\"two\",TZ=\"X\",TCPNEXT=\"5\",TCPREMOTEINFO=\"me\"\n";
    let side = Side::ours();
    compile(&side, rules);
    let environments = |keeps: &str| {
        let variables = [("C", "c=c"), ("A", "old"), ("TCPREMOTEHOST", "old"), ("TCPNEXT", "5 1")];
        let options = [&PLAIN[..], &[keeps, "-x", "cdb"]].concat();
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &[KEPT], &variables);
        let mut found = Vec::new();
        for (count, from) in (1..).zip(["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.3"]) {
            let mut client = Client::on(server.connect("127.0.0.1", from));
            assert_eq!(client.place(), if keeps == "-k0" { 1 } else { count });
            let port = |line: &String| {
                !line.starts_with("TCPREMOTEPORT=") && !line.starts_with("TCPLOCALPORT=")
            };
            let at = format!("TCPREMOTEPORT={}", server.clients.last().unwrap());
            let environment = client.environment();
            assert!(environment.contains(&at));
            found.push(environment.into_iter().filter(port).collect::<Vec<_>>());
            client.end();
            server.ended(count as usize);
        }
        found
    };
    let kept = environments("-k20");
    assert_eq!(kept, environments("-k0"));
    assert!(kept[1].contains(&"TZ=X".to_owned()) && !kept[2].contains(&"TZ=X".to_owned()));
    assert!(!kept.concat().iter().any(|line| line.starts_with("TCPREMOTEHOST")));
}

#[test]
fn a_program_that_knows_nothing_of_it_serves_one_client() {
    let side = Side::ours();
    let script = "echo $$ ${TCPNEXT:-none}; ls /proc/$$/fd";
    let mut server = start(&side, &[], &["sh", "-c", script]);
    let mut pids = Vec::new();
    for count in 1..=3 {
        let told = String::from_utf8(server.ask()).unwrap();
        let (first, descriptors) = told.split_once('\n').unwrap();
        let [pid, channel, _, _] = first.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{told:?}")
        };
        // Beside the connection and the log it has the channel, and shells keep some above 9.
        let few: Vec<&str> = descriptors.lines().filter(|number| number.len() == 1).collect();
        assert_eq!(few, ["0", "1", "2", channel]);
        pids.push(pid.to_owned());
        server.ended(count);
    }
    pids.dedup();
    assert_eq!(pids.len(), 3);
}

#[test]
fn without_the_option_there_is_no_descriptor_and_no_variable() {
    let script = "echo ${TCPNEXT-none}; ls /proc/$$/fd";
    for none in [&[][..], &["-k0"]] {
        let side = Side::ours();
        let options = [&PLAIN[..], none].concat();
        let variables = [("TCPNEXT", "5 1 1")];
        let program = ["sh", "-c", script];
        let mut server = Server::start_with(&side, &options, "127.0.0.1", &program, &variables);
        let told = String::from_utf8(server.ask()).unwrap();
        let few: Vec<&str> = told.lines().filter(|line| !matches!(line.len(), 2 | 3)).collect();
        assert_eq!(few, ["none", "0", "1", "2"]);
    }
}

#[test]
fn what_stands_in_front_is_run_for_each_client() {
    for front in [&["sh", "-c", "exec \"$0\""][..], &["env"], &["argv0"]] {
        let side = Side::ours();
        let name: &[&str] = if front == ["argv0"] { &["kept"] } else { &[] };
        let mut server = start(&side, &[], &[front, &[KEPT], name].concat());
        let hellos = one_after_another(&mut server, &["code 1", "code 2", "code 3"]);
        assert!(hellos.iter().all(|(_, clients, kept)| *clients == 1 && kept == "alone"));
        let mut pids: Vec<i32> = hellos.into_iter().map(|hello| hello.0).collect();
        pids.dedup();
        assert_eq!(pids.len(), 3);
    }
}

#[test]
fn a_program_is_found_by_its_name_and_no_longer_used_when_it_was_replaced() {
    let side = Side::ours();
    let path = side.path().join("new/program");
    let install = || {
        std::fs::create_dir_all(side.path().join("new")).unwrap();
        std::fs::copy(KEPT, side.path().join("aside")).unwrap();
        std::fs::rename(side.path().join("aside"), &path).unwrap();
    };
    install();
    let places = format!("/nonexistent:{}", side.path().join("new").display());
    let options = [&PLAIN[..], &["-k20"]].concat();
    let tcpserver = side.program("tcpserver");
    let started = |server: &mut Server, count: usize| {
        let client = Client::of(server);
        let hello = client.hello.clone();
        client.end();
        server.ended(count);
        hello
    };
    let words =
        [&[tcpserver.to_str().unwrap(), "-1"], &options[..], &["127.0.0.1", "0", "program"]];
    let background = side.command(words.concat()).env("PATH", places).start_in_background();
    assert!(until(|| background.stdout().ends_with(b"\n")));
    let port = String::from_utf8(background.stdout()).unwrap().trim().parse().unwrap();
    let mut server = Server { port, background, clients: Vec::new() };
    let first = started(&mut server, 1);
    assert_eq!(started(&mut server, 2), (first.0, 2, "kept".to_owned()));
    install();
    let second = started(&mut server, 3);
    assert_eq!((second.1, second.2.as_str()), (1, "kept"));
    assert_eq!(started(&mut server, 4), (second.0, 2, "kept".to_owned()));
    assert!(until(|| !is_running(first.0)));
}

/// Whether there is such a process that has not ended.
pub(super) fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X']))
}

#[test]
fn a_banner_and_a_balancer_s_header_are_each_client_s_own() {
    let side = Side::ours();
    let options = ["-a", "127.0.0.1", "-B", "ready "];
    let mut server = start(&side, &options, &[KEPT]);
    for (count, address) in (1..).zip(["192.0.2.1", "192.0.2.2"]) {
        let mut stream = server.connect("127.0.0.1", "127.0.0.1");
        write!(stream, "PROXY TCP4 {address} 198.51.100.7 56324 25\r\n").unwrap();
        let mut banner = [0; 6];
        stream.read_exact(&mut banner).unwrap();
        assert_eq!(&banner, b"ready ");
        let mut client = Client::on(stream);
        assert_eq!(client.place(), count);
        assert!(client.environment().contains(&format!("TCPREMOTEIP={address}")));
        client.end();
        server.ended(count as usize);
    }
}

#[test]
fn names_that_are_asked_for_and_kept_programs_do_not_go_together() {
    let side = Side::ours();
    for options in [&["-k1"][..], &["-k1", "-HR"], &["-k1", "-HRl0", "-B", &"x".repeat(3000)]] {
        let run = side.run([&["tcpserver"], options, &["127.0.0.1", "0", "true"]].concat());
        let said = "tcpserver: fatal: -k needs -H, -R and -l, and a short banner\n";
        assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, said.to_owned()));
    }
}
