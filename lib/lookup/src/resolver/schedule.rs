//! Which server is asked when, and how long it is waited for.
//!
//! All servers in order for 3 s each, then all for 11 s, then all for 45 s. A server that fails
//! is followed by the next at once, but in the second round its time is waited out: a cache that is
//! being restarted gets these seconds. A server to which nothing can be sent is followed by the next
//! at once in all rounds, so that a host without a network does not wait at all. As observed:
//! `dns_transmit` of the originals.

use std::time::Duration;

/// Seconds that a server is waited for, by round.
const ROUNDS: [u64; 3] = [3, 11, 45];
/// Seconds for each step of a conversation over TCP: connecting, sending, receiving.
const STEP: Duration = Duration::from_secs(10);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask this server (by place in the list) by a datagram.
    Datagram(usize, Duration),
    /// Ask this server over TCP, with so much time for each step.
    Stream(usize, Duration),
    /// Go on waiting: the server may still answer.
    Wait,
    /// Nobody is left to ask.
    GiveUp,
}

/// Where one question stands.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    servers: usize,
    server: usize,
    round: usize,
    /// The server whose answer was truncated.
    stream_from: Option<usize>,
}

impl Schedule {
    pub(super) fn new(servers: usize) -> Schedule {
        Schedule { servers, server: 0, round: 0, stream_from: None }
    }

    /// Whom to ask now (at first, and after `Plainer`).
    pub(super) fn now(&self) -> Next {
        if self.server >= self.servers {
            return Next::GiveUp;
        }
        match (self.stream_from, ROUNDS.get(self.round)) {
            (Some(_), _) => Next::Stream(self.server, STEP),
            (None, Some(&seconds)) => Next::Datagram(self.server, Duration::from_secs(seconds)),
            (None, None) => Next::GiveUp,
        }
    }

    /// The server asked cannot be sent anything: there is no route to it, say.
    pub(super) fn unreachable(&mut self) -> Next {
        self.timed_out()
    }

    /// The server asked has failed: it says so, or nobody is at its port.
    pub(super) fn failed(&mut self) -> Next {
        if self.stream_from.is_none() && self.round == 1 { Next::Wait } else { self.timed_out() }
    }

    /// The server asked has been silent for its time.
    pub(super) fn timed_out(&mut self) -> Next {
        self.server += 1;
        match self.stream_from {
            Some(first) => {
                self.server %= self.servers;
                if self.server == first {
                    return Next::GiveUp;
                }
            }
            None if self.server == self.servers => {
                self.server = 0;
                self.round += 1;
            }
            None => {}
        }
        self.now()
    }

    /// The server asked has more to say than a datagram holds.
    pub(super) fn truncated(&mut self) -> Next {
        if self.stream_from.is_some() {
            return self.timed_out();
        }
        self.stream_from = Some(self.server);
        self.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(server: usize, seconds: u64) -> Next {
        Next::Datagram(server, Duration::from_secs(seconds))
    }

    #[test]
    fn silent_servers_are_asked_three_times_each() {
        let mut schedule = Schedule::new(2);
        assert_eq!(schedule.now(), datagram(0, 3));
        let rest: Vec<_> = (0..6).map(|_| schedule.timed_out()).collect();
        let expected = [
            datagram(1, 3),
            datagram(0, 11),
            datagram(1, 11),
            datagram(0, 45),
            datagram(1, 45),
            Next::GiveUp,
        ];
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_failure_is_waited_out_in_the_second_round_only() {
        let mut schedule = Schedule::new(1);
        assert_eq!(schedule.failed(), datagram(0, 11));
        assert_eq!(schedule.failed(), Next::Wait);
        assert_eq!(schedule.timed_out(), datagram(0, 45));
        assert_eq!(schedule.failed(), Next::GiveUp);
    }

    #[test]
    fn what_cannot_be_reached_is_not_waited_for() {
        let mut schedule = Schedule::new(2);
        let rest: Vec<_> = (0..6).map(|_| schedule.unreachable()).collect();
        assert_eq!(rest.last(), Some(&Next::GiveUp));
        assert!(!rest.contains(&Next::Wait), "{rest:?}");
    }

    /// What a server does that is no help.
    #[derive(Clone, Copy)]
    enum Server {
        Fails,
        Silent,
        /// It truncates, and says nothing by TCP.
        Truncates,
        Unreachable,
    }

    /// Seconds until `servers` are given up.
    fn cost(servers: &[Server]) -> u64 {
        let mut schedule = Schedule::new(servers.len());
        let (mut next, mut waited, mut rest) = (schedule.now(), Duration::ZERO, Duration::ZERO);
        loop {
            next = match next {
                Next::GiveUp => return waited.as_secs(),
                Next::Stream(_, step) => {
                    waited += step;
                    schedule.timed_out()
                }
                Next::Wait => {
                    waited += rest;
                    schedule.timed_out()
                }
                Next::Datagram(server, limit) => {
                    rest = limit;
                    match servers[server] {
                        Server::Fails => schedule.failed(),
                        Server::Silent => {
                            waited += limit;
                            schedule.timed_out()
                        }
                        Server::Truncates => schedule.truncated(),
                        Server::Unreachable => schedule.unreachable(),
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_nobody_tells_costs_so_many_seconds() {
        use Server::{Fails, Silent, Truncates, Unreachable};
        assert_eq!(cost(&[]), 0);
        assert_eq!(cost(&[Silent]), 59);
        assert_eq!(cost(&[Silent, Silent]), 118);
        assert_eq!(cost(&[Fails]), 11);
        assert_eq!(cost(&[Unreachable]), 0);
        assert_eq!(cost(&[Unreachable, Silent]), 59);
        assert_eq!(cost(&[Fails, Silent]), 70);
        assert_eq!(cost(&[Truncates]), 10);
        assert_eq!(cost(&[Silent, Truncates]), 23);
    }

    #[test]
    fn a_truncated_answer_is_fetched_there_and_then_from_the_others() {
        let mut schedule = Schedule::new(3);
        schedule.timed_out();
        assert_eq!(schedule.truncated(), Next::Stream(1, STEP));
        assert_eq!(schedule.failed(), Next::Stream(2, STEP));
        assert_eq!(schedule.timed_out(), Next::Stream(0, STEP));
        assert_eq!(schedule.timed_out(), Next::GiveUp);
    }

    #[test]
    fn without_servers_there_is_nobody_to_ask() {
        assert_eq!(Schedule::new(0).now(), Next::GiveUp);
    }
}
