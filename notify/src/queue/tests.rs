use super::*;

fn job(hook: &'static str, n: usize) -> Job {
    let script = Script { argv: vec![], text: String::new(), uid: 0, gid: 0, groups: None };
    Job { hook, script, extra: vec![n.to_string()] }
}

fn number(job: &Job) -> usize {
    job.extra[0].parse().unwrap()
}

#[test]
fn one_object_never_runs_two_scripts_at_a_time() {
    let mut queues = Queues::default();
    for n in 0..3 {
        assert_eq!(queues.push("VI_1", job("notify", n)), None);
    }
    for n in 0..3 {
        let (object, next) = queues.next().unwrap();
        assert_eq!(number(&next), n);
        assert!(!queues.has_next() && queues.next().is_none(), "it is busy");
        queues.push("VI_2", job("notify", 10 + n));
        let (other, _) = queues.next().expect("another object is not held up");
        queues.finished(&other);
        queues.finished(&object);
    }
    assert!(queues.is_idle());
}

#[test]
fn objects_take_turns_in_the_order_of_their_waiting() {
    let mut queues = Queues::default();
    for n in 0..2 {
        for name in ["a", "b", "c"] {
            queues.push(name, job("notify", n));
        }
    }
    let mut order = String::new();
    while let Some((object, _)) = queues.next() {
        order.push_str(&object);
        queues.finished(&object);
    }
    assert_eq!(order, "abcabc");
}

#[test]
fn of_too_many_the_oldest_of_the_same_hook_goes() {
    let mut queues = Queues::default();
    queues.push("VI", job("notify_stop", 100));
    for n in 1..MAX_WAITING {
        queues.push("VI", job("notify", n));
    }
    let lost = queues.push("VI", job("notify", 99)).unwrap();
    assert_eq!((lost.hook, number(&lost)), ("notify", 1));
    let lost = queues.push("VI", job("notify_master", 5)).unwrap();
    assert_eq!(lost.hook, "notify_stop", "without one of its own the oldest of all");
    let mut seen = Vec::new();
    while let Some((object, next)) = queues.next() {
        seen.push(number(&next));
        queues.finished(&object);
    }
    let expected: Vec<usize> = (2..MAX_WAITING).chain([99, 5]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_number_of_running_scripts_is_bounded() {
    let mut queues = Queues::default();
    for n in 0..MAX_RUNNING + 2 {
        queues.push(&format!("VI_{n}"), job("notify", n));
    }
    let running: Vec<_> = std::iter::from_fn(|| queues.next()).collect();
    assert_eq!(running.len(), MAX_RUNNING);
    assert!(!queues.has_next());
    queues.finished(&running[7].0);
    assert!(queues.has_next());
    assert_eq!(number(&queues.next().unwrap().1), MAX_RUNNING);
}

#[test]
fn clearing_leaves_what_runs() {
    let mut queues = Queues::default();
    for n in 0..4 {
        queues.push("a", job("notify", n));
        queues.push("b", job("notify", n));
    }
    let (object, _) = queues.next().unwrap();
    assert_eq!(queues.clear(), 7);
    assert!(!queues.is_idle() && queues.next().is_none());
    queues.finished(&object);
    queues.finished(&object);
    assert!(queues.is_idle());
}
