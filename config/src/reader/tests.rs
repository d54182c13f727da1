use crate::testing::{load, problems, shape};

/// The tree of `text`, which must have no problem.
fn tree(text: &str) -> String {
    let loaded = load(text);
    assert_eq!(problems(&loaded), [], "{text}: {:?}", loaded.diagnostics);
    shape(&loaded.lines)
}

#[test]
fn reads_blocks() {
    assert_eq!(tree("global_defs {\n router_id x\n}\n"), "global_defs{router_id(x)}");
}

#[test]
fn speed() {
    let mut text = String::new();
    for i in 0..50_000 {
        text += &format!(
            "instance 10.0.{}.{} {{\n    priority 100\n    interface eth0\n    notify \"/bin/x a\"\n named foo {{\n      leaf 10 20\n        leaf 20\n    }}\n}}\n",
            i / 256,
            i % 256
        );
    }
    let t = std::time::Instant::now();
    let loaded = load(text.clone());
    println!("{} bytes {:?}", text.len(), t.elapsed());
    let t = std::time::Instant::now();
    drop(loaded);
    println!("drop {:?}", t.elapsed());
}
