//! Questions as DNS messages, and what a server's message says to a question.

use domain::base::iana::{Class, Opcode, Rcode};
use domain::base::message_builder::PushError;
use domain::base::name::ToName;
use domain::base::wire::ParseError;
use domain::base::{Message, MessageBuilder, ParsedName, Rtype};
use domain::rdata::{A, Aaaa, Cname, Mx, Ptr, Txt};
use std::net::IpAddr;
use unix::errno::Errno;

use super::name;
use super::{Error, Exchanger, Kind, Owned, Question, Record};

/// The largest datagram we ask for: what every path carries unbroken (DNS Flag Day 2020).
const PAYLOAD: u16 = 1232;
/// Most aliases followed in one answer.
const ALIASES: usize = 16;

/// What a message says to a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The name is an alias, and the answer does not say what stands there.
    Alias(Owned),
    /// The answer: records (at least one), or that there is none.
    Answer(Result<Vec<Record>, Error>),
    /// The server cannot help; another may.
    Failed(Errno),
    /// Not an answer to this question.
    Irrelevant,
    /// The server does not understand EDNS.
    Plainer,
    /// The whole answer is to be had over TCP.
    Truncated,
}

/// The message that asks `question`, recursion desired; with EDNS unless `plain`.
pub fn query(id: u16, question: &Question, plain: bool) -> Result<Vec<u8>, PushError> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(id);
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((&question.name, rtype(question.kind)))?;
    let mut message = message.additional();
    if !plain {
        message.opt(|opt| {
            opt.set_udp_payload_size(PAYLOAD);
            Ok(())
        })?;
    }
    Ok(message.finish())
}

fn rtype(kind: Kind) -> Rtype {
    match kind {
        Kind::A => Rtype::A,
        Kind::Aaaa => Rtype::AAAA,
        Kind::Cname => Rtype::CNAME,
        Kind::Mx => Rtype::MX,
        Kind::Ptr => Rtype::PTR,
        Kind::Txt => Rtype::TXT,
    }
}

/// What `bytes`, which came from the server asked, say to `question`.
///
/// Id and question section must be those of the query: the sender's address alone can be forged.
#[must_use]
pub fn reply(bytes: &[u8], id: u16, question: &Question) -> Reply {
    let Ok(message) = Message::from_slice(bytes) else { return Reply::Irrelevant };
    let header = message.header();
    if !header.qr() || header.id() != id || header.opcode() != Opcode::QUERY {
        return Reply::Irrelevant;
    }
    let rcode = header.rcode();
    let is_plain_error = rcode == Rcode::FORMERR || rcode == Rcode::NOTIMP;
    match message.sole_question() {
        Ok(asked)
            if asked.qname().name_eq(&question.name)
                && asked.qtype() == rtype(question.kind)
                && asked.qclass() == Class::IN => {}
        // A server that could not read the query may not repeat the question.
        _ if message.header_counts().qdcount() == 0 && is_plain_error => return Reply::Plainer,
        _ => return Reply::Irrelevant,
    }
    if header.tc() {
        return Reply::Truncated;
    }
    match rcode {
        Rcode::NOERROR | Rcode::NXDOMAIN => {}
        _ if is_plain_error => return Reply::Plainer,
        _ => return Reply::Failed(Errno::EAGAIN),
    }
    match Contents::parse(message, question.kind) {
        Ok(contents) => contents.follow(question, rcode == Rcode::NXDOMAIN),
        Err(_) => Reply::Failed(Errno::EPROTO),
    }
}

/// The answer section, as far as it can matter.
#[derive(Default)]
struct Contents {
    records: Vec<(Owned, Record)>,
    aliases: Vec<(Owned, Owned)>,
}

impl Contents {
    fn parse(message: &Message<[u8]>, kind: Kind) -> Result<Contents, ParseError> {
        let mut contents = Contents::default();
        for record in message.answer()? {
            let record = record?;
            if record.class() != Class::IN {
                continue;
            }
            let owner = record.owner().to_vec();
            macro_rules! data {
                ($type:ty) => {
                    record.to_record::<$type>()?.map(|record| record.into_data())
                };
            }
            let found = match kind {
                _ if record.rtype() == Rtype::CNAME && kind != Kind::Cname => {
                    if let Some(data) = data!(Cname<ParsedName<_>>) {
                        contents.aliases.push((owner, data.cname().to_vec()));
                    }
                    continue;
                }
                Kind::A => data!(A).map(|data| Record::Address(IpAddr::V4(data.addr()))),
                Kind::Aaaa => data!(Aaaa).map(|data| Record::Address(IpAddr::V6(data.addr()))),
                Kind::Cname => data!(Cname<ParsedName<_>>)
                    .map(|data| Record::Name(name::text(data.cname().iter()))),
                Kind::Mx => data!(Mx<ParsedName<_>>).map(|data| {
                    let host = name::text(data.exchange().iter());
                    Record::Exchanger(Exchanger { preference: data.preference(), host })
                }),
                Kind::Ptr => data!(Ptr<ParsedName<_>>)
                    .map(|data| Record::Name(name::text(data.ptrdname().iter()))),
                Kind::Txt => {
                    data!(Txt<_>).map(|data| Record::Text(data.iter().flatten().copied().collect()))
                }
            };
            contents.records.extend(found.map(|found| (owner, found)));
        }
        Ok(contents)
    }

    /// From the name asked along the aliases to the records.
    fn follow(self, question: &Question, no_name: bool) -> Reply {
        let mut name = &question.name;
        for _ in 0..ALIASES {
            match self.aliases.iter().find(|(alias, _)| alias == name) {
                Some((_, target)) => name = target,
                None => return self.at(name, question, no_name),
            }
        }
        Reply::Failed(Errno::ELOOP)
    }

    fn at(&self, name: &Owned, question: &Question, no_name: bool) -> Reply {
        let records = self.records.iter().filter(|(owner, _)| owner == name);
        let records: Vec<Record> = records.map(|(_, record)| record.clone()).collect();
        if !records.is_empty() {
            Reply::Answer(Ok(records))
        } else if no_name {
            Reply::Answer(Err(Error::NoName))
        } else if *name == question.name {
            Reply::Answer(Err(Error::NoData))
        } else {
            Reply::Alias(name.clone())
        }
    }
}

#[cfg(test)]
mod tests;
