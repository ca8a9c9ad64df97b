use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn entry(name: &str, inode: u64, has_log: bool) -> Entry {
    Entry { name: name.into(), id: (1, inode), has_log, is_fresh: false }
}

fn found(entries: &[Entry]) -> Event {
    Event::Found(Found { entries: entries.to_vec(), is_troubled: false, is_watched: true })
}

fn start(key: Key, role: Role, name: &str, has_log: bool) -> Action {
    Action::Start { key, role, name: name.into(), has_log }
}

/// A svscan with a service `a` (process 10) and a service `b` (process 20, log 21).
fn running() -> Machine {
    let mut machine = Machine::new(LIMIT, ms(0));
    assert_eq!(machine.step(Event::Time, ms(0)), [Action::Scan]);
    let actions = machine.step(found(&[entry("a", 1, false), entry("b", 2, true)]), ms(0));
    let expected = [
        start(0, Role::Main, "a", false),
        start(1, Role::Log, "b", true),
        start(1, Role::Main, "b", true),
    ];
    assert_eq!(actions, expected);
    for (key, role, pid) in [(0, Role::Main, 10), (1, Role::Log, 21), (1, Role::Main, 20)] {
        assert_eq!(machine.step(Event::Started(key, role, pid), ms(0)), []);
    }
    machine
}

#[test]
fn an_idle_svscan_wakes_for_nothing() {
    let mut machine = running();
    assert_eq!(machine.deadline(), None);
    assert_eq!(machine.step(Event::Time, Duration::from_hours(24)), []);
}

#[test]
fn without_news_the_directory_is_read_every_five_seconds() {
    let mut machine = running();
    let entries = vec![entry("a", 1, false), entry("b", 2, true)];
    let deaf = Found { entries: entries.clone(), is_troubled: false, is_watched: false };
    machine.step(Event::Found(deaf), ms(100));
    assert_eq!(machine.deadline(), Some(ms(5100)));
    let troubled = Found { entries, is_troubled: true, is_watched: true };
    machine.step(Event::Found(troubled), ms(200));
    assert_eq!(machine.deadline(), Some(ms(5200)));
}

#[test]
fn a_service_that_appears_is_started_at_once() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Changed, ms(100)), [Action::Scan]);
    let entries = [entry("a", 1, false), entry("b", 2, true), entry("c", 3, false)];
    assert_eq!(machine.step(found(&entries), ms(100)), [start(2, Role::Main, "c", false)]);
}

#[test]
fn one_that_is_still_being_filled_is_left_alone_for_a_while() {
    let fresh = |name, inode| Entry { is_fresh: true, ..entry(name, inode, true) };
    // What svscan finds when it begins was there before.
    let mut machine = Machine::new(LIMIT, ms(0));
    assert_eq!(machine.step(found(&[fresh("a", 1)]), ms(0)).len(), 2);

    assert_eq!(machine.step(found(&[fresh("a", 1), fresh("b", 2)]), ms(100)), []);
    assert_eq!(machine.known((1, 2)), Known::Not);
    assert_eq!(machine.deadline(), Some(ms(1100)));
    assert_eq!(machine.step(Event::Time, ms(1100)), [Action::Scan]);
    let settled = [fresh("a", 1), entry("b", 2, true)];
    assert_eq!(machine.step(found(&settled), ms(1100)).len(), 2);

    // It is not waited for for ever.
    machine.step(found(&[fresh("a", 1), entry("b", 2, true), fresh("c", 3)]), ms(2000));
    let all = [fresh("a", 1), entry("b", 2, true), fresh("c", 3)];
    assert_eq!(machine.step(found(&all), ms(6999)), []);
    assert_eq!(machine.step(found(&all), ms(7000)).len(), 2);
}

#[test]
fn a_directory_is_one_service_whatever_its_names() {
    let mut machine = running();
    let twice = [entry("also-a", 1, false), entry("b", 2, true), entry("z", 1, false)];
    assert_eq!(machine.step(found(&twice), ms(100)), []);
    machine.step(Event::Ended(10, false), ms(6000));
    let again = machine.step(found(&twice), ms(6000));
    assert_eq!(again, [start(0, Role::Main, "also-a", false)]);
}

#[test]
fn a_supervise_that_dies_is_started_again_but_not_twice_within_five_seconds() {
    let both = [entry("a", 1, false), entry("b", 2, true)];
    let mut machine = running();
    assert_eq!(machine.step(Event::Ended(21, false), ms(6000)), [Action::Scan]);
    assert_eq!(machine.step(found(&both), ms(6000)), [start(1, Role::Log, "b", true)]);
    machine.step(Event::Started(1, Role::Log, 22), ms(6000));
    assert_eq!(machine.step(Event::Ended(22, false), ms(6001)), []);
    assert_eq!(machine.deadline(), Some(ms(11_000)));
    assert_eq!(machine.step(found(&both), ms(7000)), []);
    assert_eq!(machine.deadline(), Some(ms(11_000)));
    assert_eq!(machine.step(Event::Time, ms(11_000)), [Action::Scan]);
    assert_eq!(machine.step(found(&both), ms(11_000)), [start(1, Role::Log, "b", true)]);
    assert_eq!(machine.step(Event::Failed(1, Role::Log), ms(11_000)), []);
    assert_eq!(machine.deadline(), Some(ms(16_000)));
}

#[test]
fn one_that_was_told_to_exit_is_left_alone_for_five_seconds() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Ended(10, true), ms(60_000)), []);
    assert_eq!(machine.deadline(), Some(ms(65_000)));
    // Meanwhile the administrator removes it.
    let actions = machine.step(found(&[entry("b", 2, true)]), ms(61_000));
    assert_eq!(actions, [Action::Close(0)]);
    assert_eq!(machine.known((1, 1)), Known::Not);
}

#[test]
fn a_removed_service_is_remembered_until_both_supervises_have_ended() {
    let only_a = [entry("a", 1, false)];
    let mut machine = running();
    assert_eq!(machine.step(found(&only_a), ms(100)), []);
    machine.step(Event::Ended(20, true), ms(200));
    assert_eq!(machine.step(found(&only_a), ms(300)), []);
    // It comes back: its pipe and its logger are still there.
    let both = [entry("a", 1, false), entry("b", 2, false)];
    assert_eq!(machine.step(found(&both), ms(400)), [start(1, Role::Main, "b", true)]);
    machine.step(Event::Started(1, Role::Main, 23), ms(5300));
    machine.step(found(&only_a), ms(5400));
    machine.step(Event::Ended(23, true), ms(5500));
    machine.step(Event::Ended(21, true), ms(5500));
    assert_eq!(machine.step(found(&only_a), ms(5500)), [Action::Close(1)]);
    // Now it is another service, which may have a log or not.
    assert_eq!(machine.step(found(&both), ms(5600)), [start(2, Role::Main, "b", false)]);
}

#[test]
fn a_log_that_comes_later_is_taken_up_when_it_is_whole() {
    let mut machine = running();
    assert_eq!(machine.known((1, 1)), Known::WithoutLog);
    assert_eq!(machine.known((1, 2)), Known::WithLog);
    let with_log = entry("a", 1, true);
    let both = |first| found(&[first, entry("b", 2, true)]);
    let fresh = Entry { is_fresh: true, ..with_log.clone() };
    assert_eq!(machine.step(both(fresh), ms(100)), []);
    assert_eq!(machine.deadline(), Some(ms(1100)));
    let joined = [Action::Join(0, "a".into(), Some(10)), start(0, Role::Log, "a", true)];
    assert_eq!(machine.step(both(with_log.clone()), ms(1100)), joined);
    machine.step(Event::Started(0, Role::Log, 11), ms(1100));
    assert_eq!(machine.step(both(with_log.clone()), ms(1200)), []);
    assert_eq!(machine.known((1, 1)), Known::WithLog);
    // From now on it is like any other.
    machine.step(Event::Ended(10, false), ms(9000));
    assert_eq!(machine.step(both(with_log), ms(9000)), [start(0, Role::Main, "a", true)]);
    machine.step(Event::Started(0, Role::Main, 12), ms(9000));
    machine.step(Event::Stop, ms(9100));
    let drained = [Action::Signal(11, Signal::SIGUSR1), Action::Close(0)];
    assert_eq!(machine.step(Event::Ended(12, true), ms(9200)), drained);
}

#[test]
fn strangers_that_end_are_none_of_its_business() {
    let mut machine = running();
    assert_eq!(machine.step(Event::Ended(999, false), ms(100)), []);
    assert_eq!(machine.deadline(), None);
}

#[test]
fn services_end_first_then_their_logs_then_svscan() {
    let mut machine = running();
    let actions = machine.step(Event::Stop, ms(1000));
    let terminated = [10, 20].map(|pid| Action::Signal(pid, Signal::SIGTERM));
    assert_eq!(actions, terminated);
    assert_eq!(machine.step(Event::Stop, ms(1100)), []);
    // Nothing is started any more.
    assert_eq!(machine.step(Event::Changed, ms(1200)), []);
    assert_eq!(machine.step(found(&[entry("c", 3, false)]), ms(1200)), []);

    let drained = [Action::Signal(21, Signal::SIGUSR1), Action::Close(1)];
    assert_eq!(machine.step(Event::Ended(20, true), ms(1300)), drained);
    assert_eq!(machine.step(Event::Ended(21, true), ms(1400)), []);
    assert_eq!(machine.step(Event::Ended(10, true), ms(1500)), [Action::Leave]);
}

#[test]
fn what_does_not_end_in_time_is_killed_and_then_not_waited_for() {
    let mut machine = running();
    machine.step(Event::Stop, ms(0));
    machine.step(Event::Ended(10, true), ms(100));
    assert_eq!(machine.deadline(), Some(LIMIT));
    let killed = [Action::Signal(20, Signal::SIGQUIT)];
    assert_eq!(machine.step(Event::Time, ms(6000)), killed);
    assert_eq!(machine.deadline(), Some(ms(7000)));
    let lost = [
        Action::Lost("b".into(), Role::Main),
        Action::Signal(21, Signal::SIGUSR1),
        Action::Close(1),
    ];
    assert_eq!(machine.step(Event::Time, ms(7000)), lost);
    assert_eq!(machine.step(Event::Time, ms(8999)), []);
    let log = |signal| [Action::Signal(21, signal)];
    assert_eq!(machine.step(Event::Time, ms(9000)), log(Signal::SIGTERM));
    assert_eq!(machine.step(Event::Time, ms(10_000)), log(Signal::SIGQUIT));
    let left = [Action::Lost("b".into(), Role::Log), Action::Leave];
    assert_eq!(machine.step(Event::Time, ms(11_000)), left);
}

#[test]
fn a_svscan_without_services_ends_at_once() {
    let mut machine = Machine::new(LIMIT, ms(0));
    assert_eq!(machine.step(Event::Stop, ms(0)), [Action::Leave]);
}
