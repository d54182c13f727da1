use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Arm(u32, u64),
    Disarm(u32),
    PopUntil(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u32, 0..50u64).prop_map(|(slot, at)| Step::Arm(slot, at)),
        2 => (0..50u32).prop_map(Step::Disarm),
        1 => (0..60u64).prop_map(Step::PopUntil),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Against an ordered map keyed by (deadline, order of arming).
    #[test]
    fn behaves_as_an_ordered_map(steps in proptest::collection::vec(step(), 0..300)) {
        let mut heap = Heap::new();
        let mut model: BTreeMap<(u64, usize), u32> = BTreeMap::new();
        for (count, step) in steps.into_iter().enumerate() {
            match step {
                Step::Arm(slot, at) => {
                    heap.arm(slot, Time::from_nanos(at));
                    model.retain(|_, s| *s != slot);
                    model.insert((at, count), slot);
                }
                Step::Disarm(slot) => {
                    let before = model.len();
                    model.retain(|_, s| *s != slot);
                    prop_assert_eq!(heap.disarm(slot), model.len() < before);
                }
                Step::PopUntil(now) => loop {
                    let expected = model.first_entry().filter(|e| e.key().0 <= now);
                    let expected = expected.map(|e| (Time::from_nanos(e.key().0), e.remove()));
                    let popped = heap.pop_due(Time::from_nanos(now)).map(|(slot, at)| (at, slot));
                    prop_assert_eq!(popped, expected);
                    if popped.is_none() {
                        break;
                    }
                },
            }
            prop_assert_eq!(heap.len(), model.len());
            let head = model.keys().next().map_or(Time::NEVER, |k| Time::from_nanos(k.0));
            prop_assert_eq!(heap.head(), head);
        }
    }
}

#[test]
fn a_moved_entry_goes_behind_its_equals() {
    let mut heap = Heap::new();
    let at = Time::from_nanos(7);
    for slot in 0..3 {
        heap.arm(slot, at);
    }
    heap.arm(0, at);
    let order: Vec<u32> = std::iter::from_fn(|| heap.pop_due(at)).map(|(slot, _)| slot).collect();
    assert_eq!(order, [1, 2, 0]);
}
