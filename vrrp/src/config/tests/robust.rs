//! No configuration may make the builder panic, whatever stands in it.

use config::{Body, Context};
use proptest::prelude::*;

use super::*;

/// All keywords of VRRP, blocks with a brace behind a name.
fn keywords() -> Vec<String> {
    fn walk(level: &[&'static dyn Grammar], names: &mut Vec<String>) {
        for keyword in level.iter().flat_map(|grammar| grammar.keywords()) {
            names.push(keyword.name.to_owned());
            match keyword.body {
                Body::None => {}
                Body::Values => names.push(format!("{} {{", keyword.name)),
                Body::Block(inner) => {
                    names.push(format!("{} A {{", keyword.name));
                    names.push(format!("{} {{", keyword.name));
                    walk(inner, names);
                }
            }
        }
    }
    let mut names = Vec::new();
    walk(GRAMMARS, &mut names);
    names
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("10.0.0.1".to_owned()),
        Just("10.0.0.1/24".to_owned()),
        Just("fe80::1/64".to_owned()),
        Just("eth0".to_owned()),
        Just("A".to_owned()),
        Just("255".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("0.5".to_owned()),
        Just("weight".to_owned()),
        Just("dev".to_owned()),
        Just("brd +".to_owned()),
        Just("via".to_owned()),
        Just("nexthop".to_owned()),
        Just("encap ip id".to_owned()),
        Just("table".to_owned()),
        Just("\"/bin/true\"".to_owned()),
        Just("hex:00".to_owned()),
        Just("}".to_owned()),
        Just("{".to_owned()),
        "[ -~äß€]{0,12}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(keywords());
    (prop::option::weighted(0.8, keyword), prop::collection::vec(word(), 0..5))
        .prop_map(|(keyword, words)| format!("{} {}", keyword.unwrap_or_default(), words.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_panics(lines in prop::collection::vec(line(), 0..60), running in any::<bool>()) {
        let mode = if running { Mode::Start } else { Mode::Test };
        let outcome = read(&lines.join("\n"), mode);
        // What comes out is in range.
        for instance in outcome.result.iter().flat_map(|settings| &settings.instances) {
            prop_assert!(instance.vrid != 0 && instance.priority != 0);
            prop_assert!(instance.addresses.len() <= 255);
            prop_assert!(instance.down_timer_adverts >= 1);
            prop_assert!(!instance.advert_interval.is_zero());
        }
    }
}

/// Every line alone, applied to a builder that has seen nothing else.
#[test]
fn a_keyword_without_arguments_is_survived() {
    for keyword in keywords() {
        let outcome = read(&format!("vrrp_instance A {{\n{keyword}\n}}\n}}\n"), Mode::Start);
        let mut diagnostics = outcome.diagnostics;
        let ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
        assert!(ctx.diagnostics.iter().all(|d| !d.message.is_empty()));
    }
}
