//! What is kept is told, and removed piece by piece.

use std::fs;

use wheelmill_engine::{Keeper as _, Kept, KeptKind, Removal};

use crate::support::{engine, everywhere, step};

#[test]
fn kept_layers_are_told_with_size_use_and_title() {
    everywhere("kept::kept_layers_are_told_with_size_use_and_title", |machine| {
        let closed = "mkdir -p /kit/closed; head -c 300000 /dev/urandom > /kit/closed/file; \
                      chown -R 33 /kit; chmod 700 /kit/closed";
        let prepared = machine.prepare(vec![step(closed)]).unwrap();
        // A program that was killed while it removed one, and one that made another.
        let folder = machine.state.join("layers/steps/any");
        fs::create_dir_all(folder.join(format!("{}.new/root", prepared.digest))).unwrap();
        let other = engine(&machine.state);
        let (layers, leftovers): (Vec<Kept>, Vec<Kept>) =
            other.kept().unwrap().into_iter().partition(|kept| kept.kind == KeptKind::Layer);
        let [layer] = &layers[..] else { panic!("{layers:?}") };
        assert!(layer.size.bytes >= 300_000 && layer.size.unread.is_none(), "{layer:?}");
        assert!(layer.title.is_some() && layer.in_use, "{layer:?}");
        assert_eq!(other.remove(layer).unwrap(), Removal::InUse);
        drop(prepared);
        assert!(!other.kept().unwrap().iter().any(|kept| kept.in_use));
        for kept in layers.iter().chain(&leftovers) {
            assert_eq!(other.remove(kept).unwrap(), Removal::Removed, "{kept:?}");
        }
        assert_eq!(other.kept().unwrap(), []);
    });
}
