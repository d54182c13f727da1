use std::fs;
use std::path::PathBuf;

use super::*;
use crate::checker::schedule;
use crate::settings::FileSettings;
use crate::testing::{self, World, run_until};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("file-check-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn file(&self, name: &str) -> Rc<TrackFile> {
        let path = self.0.join(name).to_str().unwrap().to_owned();
        Rc::new(TrackFile { name: name.into(), path, weight: 0, reverse: false, init: None })
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn add(w: &mut World, file: &Rc<TrackFile>, weight: i32) -> CheckerId {
    let file = FileSettings { file: Rc::clone(file), weight, reverse: false };
    w.add(testing::settings(Kind::File(file)))
}

#[test]
fn checkers_follow_their_file() {
    let place = Place::new("follow");
    let (a, b) = (place.file("a"), place.file("b"));
    place.write("b", "3");
    let (mut s, mut w) = (Scheduler::new().unwrap(), World::default());
    let fault = add(&mut w, &a, 0);
    let weight = add(&mut w, &a, 2);
    let other = add(&mut w, &b, 0);
    let gone = add(&mut w, &a, 0);
    follow(&mut s, &mut w);
    assert!(w.checker(fault).verdict.up && w.checker(fault).verdict.has_run);
    assert!(!w.checker(other).verdict.up, "it was read at the start");
    schedule::stop(&mut s, &mut w, gone);

    place.write("a", "0x10");
    run_until(&mut s, &mut w, |w| !w.checker(fault).verdict.up);
    assert_eq!(w.checker(weight).verdict.contribution, 32);
    place.write("a", "99999999999");
    place.write("b", "0");
    run_until(&mut s, &mut w, |w| w.checker(other).verdict.up);
    assert_eq!(w.checker(weight).verdict.contribution, 32, "no number that counts");
    fs::remove_file(place.0.join("a")).unwrap();
    run_until(&mut s, &mut w, |w| w.checker(fault).verdict.up);
    assert_eq!(w.checker(weight).verdict.contribution, 0);

    unfollow(&mut s, &mut w);
    assert!(s.is_empty());
}

#[test]
fn what_is_read_again_at_a_reload_is_what_counts() {
    let place = Place::new("again");
    let a = place.file("a");
    let (mut s, mut w) = (Scheduler::new().unwrap(), World::default());
    let first = add(&mut w, &a, 0);
    follow(&mut s, &mut w);
    let second = add(&mut w, &a, 0);
    place.write("a", "1");
    follow(&mut s, &mut w);
    assert!(!w.checker(first).verdict.up && !w.checker(second).verdict.up);
    place.write("a", "0");
    run_until(&mut s, &mut w, |w| w.checker(first).verdict.up && w.checker(second).verdict.up);
}
