use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::settings::Kind;
use crate::testing;

fn checker(owner: u32) -> Checker {
    let settings = Rc::new(testing::settings(Kind::Tcp));
    Checker::new(&settings, &"R".into(), &"X".into(), 1, (owner, 0))
}

#[test]
fn an_id_of_a_removed_checker_names_no_other() {
    let mut checkers = Checkers::default();
    let old = checkers.insert(checker(1));
    assert!(checkers.remove(old).is_some());
    let new = checkers.insert(checker(2));
    assert_ne!(old, new);
    assert!(checkers.get(old).is_none() && checkers.get_mut(old).is_none());
    assert!(checkers.remove(old).is_none());
    assert_eq!(checkers.get(new).unwrap().owner, (2, 0));
    assert_eq!(CheckerId::from_arg(new.arg()), new);
}

#[test]
fn a_hundred_thousand_checkers_are_small() {
    assert!(size_of::<Slot>() <= 192, "{}", size_of::<Slot>());
}

proptest! {
    #[test]
    fn the_slab_is_a_map(steps in prop::collection::vec(prop::option::of(0usize..8), 0..200)) {
        let (mut checkers, mut model, mut issued) = (Checkers::default(), HashMap::new(), Vec::new());
        for (n, step) in (0..).zip(steps) {
            match step.and_then(|back| issued.len().checked_sub(back + 1)) {
                Some(which) => {
                    let id: CheckerId = issued[which];
                    let removed = checkers.remove(id).map(|checker| checker.owner.0);
                    prop_assert_eq!(removed, model.remove(&id));
                }
                None => {
                    let id = checkers.insert(checker(n));
                    prop_assert_eq!(model.insert(id, n), None);
                    issued.push(id);
                }
            }
            for id in &issued {
                prop_assert_eq!(checkers.get(*id).map(|c| c.owner.0), model.get(id).copied());
            }
            let all: HashMap<_, _> = checkers.iter().map(|(id, c)| (id, c.owner.0)).collect();
            prop_assert_eq!(&all, &model);
        }
    }
}
