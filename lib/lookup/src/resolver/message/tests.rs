use super::*;
use domain::base::Ttl;
use proptest::prelude::*;

const ID: u16 = 0x1234;
const TTL: Ttl = Ttl::from_secs(60);

fn question(name: &str, kind: Kind) -> Question {
    Question::new(name.as_bytes(), kind).unwrap()
}

fn named(text: &str) -> Owned {
    name::parse(text.as_bytes()).unwrap()
}

fn address(text: &str) -> Record {
    Record::Address(text.parse().unwrap())
}

/// A reply to `asked`, with the records that `fill` pushes.
fn answer(
    asked: &Question,
    rcode: Rcode,
    fill: impl FnOnce(&mut domain::base::message_builder::AnswerBuilder<Vec<u8>>),
) -> Vec<u8> {
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_id(ID);
    message.header_mut().set_qr(true);
    message.header_mut().set_rcode(rcode);
    let mut message = message.question();
    message.push((&asked.name, rtype(asked.kind))).unwrap();
    let mut message = message.answer();
    fill(&mut message);
    message.finish()
}

#[test]
fn a_query_asks_one_question_with_edns_or_without() {
    let asked = question("a.b", Kind::Mx);
    let with = query(ID, &asked, false).unwrap();
    let expected =
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x01a\x01b\0\0\x0f\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";
    assert_eq!(with, expected);
    let without = query(ID, &asked, true).unwrap();
    assert_eq!(without, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x01b\0\0\x0f\0\x01");
}

#[test]
fn records_are_read_in_their_order() {
    let asked = question("a.b", Kind::A);
    let bytes = answer(&asked, Rcode::NOERROR, |m| {
        m.push((named("A.B"), TTL, A::from_octets(192, 0, 2, 2))).unwrap();
        m.push((named("a.b"), TTL, A::from_octets(192, 0, 2, 1))).unwrap();
        m.push((named("evil.b"), TTL, A::from_octets(192, 0, 2, 9))).unwrap();
    });
    let expected = vec![address("192.0.2.2"), address("192.0.2.1")];
    assert_eq!(reply(&bytes, ID, &asked), Reply::Answer(Ok(expected)));
}

#[test]
fn each_kind_has_its_record() {
    let mx = question("a.b", Kind::Mx);
    let bytes = answer(&mx, Rcode::NOERROR, |m| {
        m.push((named("a.b"), TTL, Mx::new(10, named("Mail.A.B")))).unwrap();
        m.push((named("a.b"), TTL, Mx::new(0, named("")))).unwrap();
    });
    let exchanger =
        |preference, host: &[u8]| Record::Exchanger(Exchanger { preference, host: host.to_vec() });
    let expected = vec![exchanger(10, b"mail.a.b"), exchanger(0, b"")];
    assert_eq!(reply(&bytes, ID, &mx), Reply::Answer(Ok(expected)));

    let txt = question("a.b", Kind::Txt);
    let data = Txt::<Vec<u8>>::from_octets(b"\x03one\x04\xfftwo".to_vec()).unwrap();
    let bytes = answer(&txt, Rcode::NOERROR, |m| m.push((named("a.b"), TTL, &data)).unwrap());
    let expected = vec![Record::Text(b"one\xfftwo".to_vec())];
    assert_eq!(reply(&bytes, ID, &txt), Reply::Answer(Ok(expected)));

    let ptr = Question::reverse("192.0.2.1".parse().unwrap()).unwrap();
    let bytes = answer(&ptr, Rcode::NOERROR, |m| {
        m.push((&ptr.name, TTL, Ptr::new(named("Host.A.B")))).unwrap();
    });
    assert_eq!(
        reply(&bytes, ID, &ptr),
        Reply::Answer(Ok(vec![Record::Name(b"host.a.b".to_vec())]))
    );

    let aaaa = question("a.b", Kind::Aaaa);
    let six = Aaaa::new("2001:db8::1".parse().unwrap());
    let bytes = answer(&aaaa, Rcode::NOERROR, |m| m.push((named("a.b"), TTL, six)).unwrap());
    assert_eq!(reply(&bytes, ID, &aaaa), Reply::Answer(Ok(vec![address("2001:db8::1")])));
}

#[test]
fn aliases_are_followed_within_the_answer_and_beyond() {
    let asked = question("a.b", Kind::A);
    let alias = |from: &str, to: &str| (named(from), TTL, Cname::new(named(to)));
    let bytes = answer(&asked, Rcode::NOERROR, |m| {
        m.push(alias("a.b", "c.d")).unwrap();
        m.push(alias("c.d", "e.f")).unwrap();
        m.push((named("e.f"), TTL, A::from_octets(192, 0, 2, 1))).unwrap();
    });
    assert_eq!(reply(&bytes, ID, &asked), Reply::Answer(Ok(vec![address("192.0.2.1")])));
    let bytes = answer(&asked, Rcode::NOERROR, |m| m.push(alias("a.b", "c.d")).unwrap());
    assert_eq!(reply(&bytes, ID, &asked), Reply::Alias(named("c.d")));
    let bytes = answer(&asked, Rcode::NXDOMAIN, |m| m.push(alias("a.b", "c.d")).unwrap());
    assert_eq!(reply(&bytes, ID, &asked), Reply::Answer(Err(Error::NoName)));
    let bytes = answer(&asked, Rcode::NOERROR, |m| {
        m.push(alias("a.b", "c.d")).unwrap();
        m.push(alias("c.d", "a.b")).unwrap();
    });
    assert_eq!(reply(&bytes, ID, &asked), Reply::Failed(Errno::ELOOP));
}

#[test]
fn an_alias_asked_for_is_not_followed() {
    let asked = question("a.b", Kind::Cname);
    let bytes = answer(&asked, Rcode::NOERROR, |m| {
        m.push((named("a.b"), TTL, Cname::new(named("c.d")))).unwrap();
    });
    assert_eq!(reply(&bytes, ID, &asked), Reply::Answer(Ok(vec![Record::Name(b"c.d".to_vec())])));
}

#[test]
fn no_name_and_no_data_are_told_apart() {
    let asked = question("a.b", Kind::A);
    let of = |rcode| reply(&answer(&asked, rcode, |_| ()), ID, &asked);
    assert_eq!(of(Rcode::NXDOMAIN), Reply::Answer(Err(Error::NoName)));
    assert_eq!(of(Rcode::NOERROR), Reply::Answer(Err(Error::NoData)));
    assert_eq!(of(Rcode::SERVFAIL), Reply::Failed(Errno::EAGAIN));
    assert_eq!(of(Rcode::REFUSED), Reply::Failed(Errno::EAGAIN));
    assert_eq!(of(Rcode::FORMERR), Reply::Plainer);
}

#[test]
fn what_does_not_repeat_the_question_is_irrelevant() {
    let asked = question("a.b", Kind::A);
    let right = answer(&asked, Rcode::NOERROR, |_| ());
    assert_eq!(reply(&right, ID + 1, &asked), Reply::Irrelevant);
    assert_eq!(reply(&right, ID, &question("a.c", Kind::A)), Reply::Irrelevant);
    assert_eq!(reply(&right, ID, &question("a.b", Kind::Txt)), Reply::Irrelevant);
    assert_eq!(reply(&right[..11], ID, &asked), Reply::Irrelevant);
    let mut query = right.clone();
    query[2] = 0;
    assert_eq!(reply(&query, ID, &asked), Reply::Irrelevant);
    let mut two = right.clone();
    two[5] = 2;
    assert_eq!(reply(&two, ID, &asked), Reply::Irrelevant);
    let mut none = right[..12].to_vec();
    none[5] = 0;
    assert_eq!(reply(&none, ID, &asked), Reply::Irrelevant);
}

#[test]
fn a_truncated_answer_says_so_and_a_torn_one_fails() {
    let asked = question("a.b", Kind::A);
    let mut bytes = answer(&asked, Rcode::NOERROR, |m| {
        m.push((named("a.b"), TTL, A::from_octets(192, 0, 2, 1))).unwrap();
    });
    bytes.truncate(bytes.len() - 1);
    assert_eq!(reply(&bytes, ID, &asked), Reply::Failed(Errno::EPROTO));
    bytes[2] |= 2;
    assert_eq!(reply(&bytes, ID, &asked), Reply::Truncated);
}

#[test]
fn a_pointer_that_points_at_itself_ends() {
    let asked = question("a.b", Kind::A);
    let mut bytes = answer(&asked, Rcode::NOERROR, |_| ());
    bytes[7] = 1;
    let here = u8::try_from(bytes.len()).unwrap();
    bytes.extend([0xc0, here, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
    assert_eq!(reply(&bytes, ID, &asked), Reply::Failed(Errno::EPROTO));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(mut bytes: Vec<u8>, kind in 0_usize..6) {
        use Kind::{A, Aaaa, Cname, Mx, Ptr, Txt};
        let asked = question("a.b", [A, Aaaa, Cname, Mx, Ptr, Txt][kind]);
        let _ = reply(&bytes, ID, &asked);
        let mut likely = answer(&asked, Rcode::NOERROR, |_| ());
        likely[7] = 3;
        likely.append(&mut bytes);
        let _ = reply(&likely, ID, &asked);
    }
}
