//! Mailboxes that can't be read without the accounts that they protect.

use std::collections::BTreeMap;

use crate::record::{Handle, State};

/// The accounts whose mailboxes stand on one another in a circle, each with one such circle that
/// begins with it.
pub(super) fn circles(state: &State) -> BTreeMap<Handle, Vec<Handle>> {
    let through = |handle: &Handle| {
        let known = state.accounts().get(handle).filter(|account| account.root.credentials);
        known.map(|account| account.mailbox_through.as_slice()).unwrap_or_default()
    };
    let circle = |start: &Handle| -> Option<Vec<Handle>> {
        // The shortest, breadth first; whence each was reached leads back.
        let mut from: BTreeMap<&Handle, &Handle> = BTreeMap::new();
        let mut reached: Vec<&Handle> = vec![start];
        let mut place = 0;
        while let Some(here) = reached.get(place).copied() {
            place += 1;
            for next in through(here) {
                if next == start {
                    let mut back = vec![here.clone()];
                    let mut at = here;
                    while let Some(before) = from.get(at) {
                        back.push((*before).clone());
                        at = before;
                    }
                    back.reverse();
                    return Some(back);
                }
                let known = state.accounts().get_key_value(next).map(|(known, _)| known);
                if let Some(known) = known.filter(|known| !from.contains_key(*known)) {
                    from.insert(known, here);
                    reached.push(known);
                }
            }
        }
        None
    };
    let some = state.accounts().iter().filter(|(_, account)| !account.mailbox_through.is_empty());
    some.filter_map(|(handle, _)| Some((handle.clone(), circle(handle)?))).collect()
}
