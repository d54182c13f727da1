use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

fn event(what: u32, numbers: &[u32]) -> Vec<u8> {
    let mut writer = Writer::new();
    let written = writer.message(3, 0, 0, |w| {
        [1_u32, 1, 0, 0].iter().for_each(|n| w.raw(&n.to_ne_bytes()));
        w.raw(&((16 + 4 * numbers.len()) as u16).to_ne_bytes());
        w.raw(&[0; 2]);
        [what, 0, 0, 0].iter().chain(numbers).for_each(|n| w.raw(&n.to_ne_bytes()));
    });
    written.unwrap();
    writer.as_bytes().to_vec()
}

fn decoded(what: u32, numbers: &[u32]) -> Option<ProcessEvent> {
    decode(&Messages::new(&event(what, numbers)).next().unwrap())
}

#[test]
fn events_of_threads_are_passed_over() {
    let fork = ProcessEvent::Fork { parent: 7, child: 9 };
    assert_eq!(decoded(FORK, &[8, 7, 9, 9]), Some(fork));
    assert_eq!(decoded(FORK, &[7, 7, 9, 7]), None);
    assert_eq!(decoded(EXEC, &[9, 9]), Some(ProcessEvent::Exec(9)));
    assert_eq!(decoded(EXIT, &[9, 9, 0, 17, 7, 7]), Some(ProcessEvent::Exit(9)));
    assert_eq!(decoded(EXIT, &[10, 9, 0, 17, 7, 7]), None);
    let name = [u32::from_ne_bytes(*b"post"), u32::from_ne_bytes(*b"gres"), 0, 0];
    let renamed = ProcessEvent::Renamed(9, *b"postgres\0\0\0\0\0\0\0\0");
    assert_eq!(decoded(COMM, &[&[9, 9], &name[..]].concat()), Some(renamed));
    assert_eq!(decoded(COMM, &[&[10, 9], &name[..]].concat()), None);
    assert_eq!(decoded(NONE, &[111]), Some(ProcessEvent::Confirmed(111)));
    assert_eq!(decoded(4, &[9, 9, 0, 0]), None);
}

#[test]
fn what_is_cut_short_or_of_others_is_no_event() {
    let whole = event(FORK, &[8, 7, 9, 9]);
    let message = Messages::new(&whole).next().unwrap();
    for length in 0..message.payload.len() {
        let payload = &message.payload[..length];
        assert_eq!(decode(&Message { payload, ..message }), None, "{length} bytes");
    }
    let mut other = message.payload.to_vec();
    other[0] = 2;
    assert_eq!(decode(&Message { payload: &other, ..message }), None);
    assert_eq!(decoded(EXIT, &[0, 0]), None);
}

/// Where this kernel has a connector that answers here.
#[test]
fn a_child_comes_and_goes() {
    let Ok(mut monitor) = ProcessMonitor::open(0, false, None) else { return };
    let mut seen = Vec::new();
    let mut until = |done: &dyn Fn(&[ProcessEvent]) -> bool| {
        let end = Instant::now() + Duration::from_secs(5);
        while !done(&seen) && Instant::now() < end {
            monitor.receive(&mut seen).unwrap();
            std::thread::sleep(Duration::from_millis(5));
        }
        done(&seen)
    };
    if !until(&|seen| seen.contains(&ProcessEvent::Confirmed(0))) {
        return;
    }
    let mut child = Command::new("true").spawn().unwrap();
    let id = child.id().cast_signed();
    child.wait().unwrap();
    let own = std::process::id().cast_signed();
    let story = [
        ProcessEvent::Fork { parent: own, child: id },
        ProcessEvent::Exec(id),
        ProcessEvent::Exit(id),
    ];
    assert!(until(&|seen| {
        let about = seen.iter().filter(|event| story.contains(event));
        about.eq(story.iter())
    }));
}
