//! The sync daemon (spec ipvs §9).

use crate::runtime::stage::Stage;
use crate::runtime::{Followed, follow_instance};

/// State and id of the daemons that run once the instance is as told.
fn follows(stage: &mut Stage, followed: Option<Followed>) -> Vec<String> {
    follow_instance(&mut stage.s, &mut stage.w, followed);
    let daemons = stage.table.daemons();
    daemons.iter().map(|daemon| format!("{:?} {}", daemon.state, daemon.id)).collect()
}

#[test]
fn it_follows_the_state_and_the_id_of_its_instance() {
    let mut stage = Stage::new("global_defs {\nlvs_sync_daemon eth0 I\n}\n");
    let at = |vrid, master| Some(Followed { vrid, master });
    assert_eq!(follows(&mut stage, at(5, false)), ["Backup 5"]);
    assert_eq!(follows(&mut stage, at(5, true)), ["Master 5"]);
    assert_eq!(follows(&mut stage, at(6, true)), ["Master 6"]);
    assert_eq!(follows(&mut stage, None), [] as [&str; 0]);
    let mut stage = Stage::new("global_defs {\nlvs_sync_daemon eth0 I id 7\n}\n");
    assert_eq!(follows(&mut stage, at(5, false)), ["Backup 7"]);
    stage.requests();
    assert_eq!(follows(&mut stage, at(6, false)), ["Backup 7"]);
    assert_eq!(stage.requests(), 0, "it has an id of its own");
}
