//! Reports on keys: an owner's is final, another's suspends until two say otherwise, and
//! never below the floor. And what a dishonest reporter, or a thief, makes of that.

use keymuster::log::{FindingKind, Rule};
use keymuster::record::Handle;

use super::attacks::{MALLORY, WITH_BOB, three, two};
use super::fixture::{checked, custodian, handle, name, reader, sealed};
use super::people::{
    People, acknowledged, action, checks_every, compromised, handed, left, lost, moved, rekeyed,
    restored, retired,
};

const HONEST: &[&str] = &["alice/primary", "bob/primary"];

fn overruled(people: &People, who: &str) -> bool {
    people.state().custodians()[&handle(who)].overruled.is_some()
}

/// The copies of somebody's identity that others may open.
fn exposed(people: &People, who: &str) -> Vec<String> {
    people.state().exposures(&handle(who)).iter().map(ToString::to_string).collect()
}

#[test]
fn an_owners_own_report_is_final() {
    let mut people = three();
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    assert_eq!(people.word("alice/primary"), "lost");
    let others = ["alice/blue", "bob/primary", "mallory/primary"];
    for event in [
        restored("alice/primary"),
        retired("alice/primary"),
        lost("alice/primary", "alice"),
        lost("alice/primary", "mallory"),
        compromised("alice/primary", "bob"),
    ] {
        assert_eq!(people.refused(&others, vec![event]), Rule::Event);
    }
    for event in [checked("alice/primary"), restored("alice/primary")] {
        assert_eq!(people.refused(&["alice/primary"], vec![event]), Rule::Signers);
    }
}

#[test]
fn a_lost_key_may_turn_up_in_wrong_hands_and_not_the_other_way_round() {
    let mut people = three();
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    people.does(&["alice/blue"], vec![compromised("alice/primary", "alice")]);
    assert_eq!(people.word("alice/primary"), "compromised");
    let back = vec![lost("alice/primary", "alice")];
    assert_eq!(people.refused(&["alice/blue"], back), Rule::Event);
}

#[test]
fn an_own_report_is_never_refused_for_the_floor() {
    let mut people = two();
    people.does(MALLORY, vec![lost("mallory/primary", "mallory"), lost("mallory/blue", "mallory")]);
    assert_eq!(people.state().able_custodians(), 1);
    people.does(&["alice/primary"], vec![compromised("alice/primary", "alice")]);
    assert_eq!(people.state().able_custodians(), 0);
}

#[test]
fn an_owner_confirms_a_report_and_nobody_is_overruled() {
    let mut people = three();
    people.does(MALLORY, vec![compromised("alice/primary", "mallory")]);
    people.does(&["alice/blue"], vec![compromised("alice/primary", "alice")]);
    assert_eq!(people.word("alice/primary"), "compromised");
    assert!(!overruled(&people, "mallory"));
}

#[test]
fn a_suspended_key_signs_that_keys_are_restored_and_nothing_else() {
    let mut people = three();
    people.does(MALLORY, vec![lost("bob/primary", "mallory"), lost("alice/blue", "mallory")]);
    let suspended = ["bob/primary", "alice/primary"];
    for more in [
        reader("friend"),
        checked("bob/primary"),
        checks_every(3660),
        lost("bob/primary", "bob"),
        acknowledged("bob", &["I keep my keys"]),
        moved("alice/blue", "here"),
    ] {
        let alone = people.refused(&["bob/primary"], vec![more.clone()]);
        let with_alice = people.refused(&suspended, vec![more.clone()]);
        let beside = people.refused(&suspended, vec![restored("bob/primary"), more]);
        assert_eq!([alone, with_alice, beside], [Rule::Signers; 3]);
    }
    people.does(&suspended, vec![restored("alice/blue"), restored("bob/primary")]);
    assert!(people.is_active("bob/primary") && people.is_active("alice/blue"));
}

#[test]
fn restores_their_own_suspended_key_alone() {
    let mut people = three();
    people.does(HONEST, vec![compromised("mallory/primary", "bob")]);
    for signers in [&["mallory/primary"] as &[&str], &["mallory/blue"], MALLORY] {
        let event = restored("mallory/primary");
        assert_eq!(people.refused(signers, vec![event]), Rule::Authority, "{signers:?}");
    }
}

#[test]
fn a_reporter_who_takes_it_back_is_not_overruled() {
    let mut people = three();
    people.does(&["bob/primary"], vec![lost("alice/blue", "bob")]);
    people.does(&["alice/primary", "bob/primary"], vec![restored("alice/blue")]);
    assert!(!overruled(&people, "bob"));
    people.does(&["bob/primary"], vec![lost("alice/blue", "bob")]);
    people.does(&["alice/primary", "mallory/primary"], vec![restored("alice/blue")]);
    assert!(overruled(&people, "bob"));
    people.does(&["bob/primary"], vec![lost("bob/primary", "bob")]);
}

#[test]
fn everyone_whose_report_is_undone_is_overruled() {
    let mut people = People::with(&["alice/primary", "bob/primary", "mallory/primary"]);
    people.does(&["mallory/primary"], vec![lost("bob/primary", "mallory")]);
    people.does(&["mallory/primary"], vec![lost("alice/primary", "mallory")]);
    assert_eq!(people.state().keys()[&name("alice/primary")].claims.len(), 1);
    people.does(&["alice/primary", "bob/primary"], vec![restored("alice/primary")]);
    assert!(overruled(&people, "mallory"), "a claim counts as a report");
    assert_eq!(people.word("bob/primary"), "suspended", "each key is restored by itself");
}

#[test]
fn a_key_that_nobody_reported_is_not_restored() {
    let mut people = three();
    people.does(HONEST, vec![retired("mallory/blue")]);
    for key in ["alice/primary", "mallory/blue", "alice/green"] {
        assert_eq!(people.refused(HONEST, vec![restored(key)]), Rule::Event, "{key}");
    }
}

#[test]
fn reports_in_anothers_name() {
    let mut people = three();
    for reporter in ["alice", "bob"] {
        for key in ["alice/primary", "mallory/blue", "bob/primary"] {
            let events = vec![lost(key, reporter)];
            assert_eq!(people.refused(MALLORY, events), Rule::Authority, "{key} {reporter}");
        }
    }
    for reporter in ["auditor", "zoe"] {
        let events = vec![lost("alice/primary", reporter)];
        assert_eq!(people.refused(WITH_BOB, events), Rule::Authority, "{reporter}");
    }
}

#[test]
fn reports_again_after_being_overruled() {
    let mut people = three();
    people.does(MALLORY, vec![lost("alice/blue", "mallory")]);
    people.does(HONEST, vec![restored("alice/blue")]);
    for report in [lost, compromised] {
        for key in ["alice/blue", "alice/primary", "bob/primary", "alice/paper"] {
            for signers in [&["mallory/primary"] as &[&str], &["mallory/blue"], MALLORY] {
                let rule = people.refused(signers, vec![report(key, "mallory")]);
                assert_eq!(rule, Rule::Authority, "{key}");
            }
        }
    }
    // With a new key, and with a second custodian who vouches for it.
    let green = people.enrolment("mallory/green");
    people.does(&["mallory/green", "mallory/primary", "alice/blue"], vec![green]);
    let again = vec![lost("alice/blue", "mallory")];
    assert_eq!(people.refused(&["mallory/green"], again.clone()), Rule::Authority);
    people.does(WITH_BOB, again);
    assert_eq!(people.word("alice/blue"), "suspended");
}

#[test]
fn reports_one_key_many_times() {
    let mut people = three();
    people.does(MALLORY, vec![lost("alice/blue", "mallory")]);
    for event in [lost("alice/blue", "mallory"), compromised("alice/blue", "mallory")] {
        assert_eq!(people.refused(MALLORY, vec![event]), Rule::Event);
    }
    let twice = vec![lost("alice/primary", "mallory"), compromised("alice/primary", "mallory")];
    assert_eq!(people.refused(MALLORY, twice), Rule::Event);
    for key in ["alice/green", "zoe/primary", "zoe/paper", "auditor/paper"] {
        assert_eq!(people.refused(MALLORY, vec![lost(key, "mallory")]), Rule::Event, "{key}");
    }
}

#[test]
fn a_claim_becomes_a_suspension_only_by_a_new_report() {
    let mut people = two();
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    let both = ["alice/primary", "mallory/primary", "bob/primary"];
    let bob = [custodian("bob"), people.enrolment("bob/primary")];
    people.does(&both, bob.to_vec());
    assert!(people.is_active("alice/primary"));
    people.does(MALLORY, vec![compromised("alice/primary", "mallory")]);
    assert_eq!(people.word("alice/primary"), "suspended");
    assert_eq!(people.found(), [], "this one suspends, whatever was only claimed before");
}

#[test]
fn a_report_at_the_floor_is_found_to_be_a_claim() {
    let mut people = two();
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    let claimed =
        FindingKind::OnlyClaimed { key: name("alice/primary"), reporter: handle("mallory") };
    assert_eq!(people.found(), [claimed]);
    people.does(&["alice/primary"], vec![compromised("alice/primary", "alice")]);
    assert_eq!(people.found(), [], "the owner's own report is no claim");
}

#[test]
fn an_owners_own_report_settles_what_others_claimed() {
    let mut people = two();
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    people.does(&["alice/primary"], vec![lost("alice/primary", "alice")]);
    assert_eq!(people.state().keys()[&name("alice/primary")].claims, []);
}

#[test]
fn where_the_floor_is_lost_already_who_has_no_key_may_leave() {
    let mut people = two();
    let events = vec![lost("alice/primary", "alice"), left("alice")];
    people.does(&["alice/primary", "mallory/primary"], events);
    assert_eq!((people.state().quorum(), people.state().able_custodians()), (2, 1));
}

#[test]
fn two_is_two_for_good_even_where_the_first_gives_up_their_key_at_once() {
    let mut people = People::with(&["alice/primary"]);
    let events = vec![
        lost("alice/primary", "alice"),
        custodian("mallory"),
        people.enrolment("mallory/primary"),
    ];
    people.does(&["alice/primary", "mallory/primary"], events);
    assert_eq!(people.state().quorum(), 2);
    let alone = people.refused(&["mallory/primary"], vec![left("alice")]);
    assert_eq!(alone, Rule::Authority);
}

#[test]
fn a_thief_of_one_key_changes_nothing_that_needs_two() {
    let mut people = three();
    let thief = &["alice/primary"] as &[&str];
    let key = people.enrolment("alice/green");
    assert_eq!(people.refused(&["alice/primary", "alice/green"], vec![key]), Rule::Authority);
    for event in [
        rekeyed("alice", "thief's"),
        sealed("alice", "paper", 2),
        retired("alice/blue"),
        left("alice"),
        checked("alice/blue"),
        handed("alice/blue", "alice", "mallory"),
    ] {
        assert_eq!(people.refused(thief, vec![event]), Rule::Authority);
    }
    people.does(&["bob/primary"], vec![compromised("alice/primary", "bob")]);
    for event in [restored("alice/primary"), action("late", "alice"), lost("alice/blue", "alice")] {
        let rule = people.refused(thief, vec![event]);
        assert!(matches!(rule, Rule::Authority | Rule::Signers));
    }
}

#[test]
fn reports_a_paper_first_so_that_its_owner_cannot() {
    let mut people = three();
    people.does(MALLORY, vec![lost("alice/paper", "mallory")]);
    people.does(&["alice/blue"], vec![compromised("alice/paper", "alice")]);
    let slot = name("alice/paper");
    let by: &Handle = &people.state().paper_report(&slot).unwrap().reporter;
    assert_eq!(by, &handle("alice"));
    for again in [compromised("alice/paper", "mallory"), lost("alice/paper", "bob")] {
        assert_eq!(people.refused(WITH_BOB, vec![again]), Rule::Event);
    }
    let less = vec![lost("alice/paper", "alice")];
    assert_eq!(people.refused(&["alice/blue"], less), Rule::Event);
}

#[test]
fn reports_papers_without_end() {
    let mut people = three();
    assert_eq!(people.refused(HONEST, vec![restored("alice/paper")]), Rule::Event);
    people.does(MALLORY, vec![lost("alice/paper", "mallory")]);
    assert_eq!(people.refused(&["alice/blue"], vec![restored("alice/paper")]), Rule::Authority);
    people.does(HONEST, vec![restored("alice/paper")]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
    let again = vec![compromised("alice/paper", "mallory")];
    assert_eq!(people.refused(MALLORY, again), Rule::Authority);
    people.does(&["alice/blue"], vec![lost("alice/paper", "alice")]);
    assert_eq!(
        people.refused(HONEST, vec![restored("alice/paper")]),
        Rule::Event,
        "her own is final"
    );
}

#[test]
fn a_leaked_paper_stays_leaked_until_there_is_another_identity() {
    let mut people = three();
    people.does(&["alice/blue"], vec![compromised("alice/paper", "alice")]);
    assert_eq!(exposed(&people, "alice"), ["alice/paper"]);
    people.does(HONEST, vec![sealed("alice", "paper", 2)]);
    assert_eq!(exposed(&people, "alice"), ["alice/paper"], "the old sheet opens it still");
    people.does(HONEST, vec![rekeyed("alice", "new"), sealed("alice", "paper", 3)]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
}

#[test]
fn a_reported_key_exposes_an_identity_even_once_it_is_retired() {
    let mut people = three();
    people.does(&["bob/primary"], vec![compromised("alice/primary", "bob")]);
    assert_eq!(exposed(&people, "alice"), ["alice/primary"]);
    people.does(&["alice/blue", "bob/primary"], vec![retired("alice/primary")]);
    assert_eq!(people.word("alice/primary"), "retired");
    assert_eq!(exposed(&people, "alice"), ["alice/primary"], "two said that it was right");
    people.does(&["alice/blue", "bob/primary"], vec![rekeyed("alice", "new")]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
}

#[test]
fn a_retired_key_which_holds_an_identity_still_is_reported() {
    let mut people = three();
    people.does(HONEST, vec![retired("alice/primary")]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    assert_eq!(exposed(&people, "alice"), ["alice/primary"]);
    assert_eq!(people.refused(MALLORY, vec![lost("alice/primary", "mallory")]), Rule::Event);
    people.does(&["alice/blue", "bob/primary"], vec![restored("alice/primary")]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
    assert_eq!(people.word("alice/primary"), "retired", "it signs no more for that");
    assert_eq!(people.refused(MALLORY, vec![lost("alice/primary", "mallory")]), Rule::Authority);
    people.does(&["alice/blue"], vec![lost("alice/primary", "alice")]);
    assert_eq!(people.word("alice/primary"), "lost");
    assert_eq!(exposed(&people, "alice"), ["alice/primary"]);
}

#[test]
fn a_report_on_a_leavers_key_stands_for_others_to_judge() {
    let mut people = three();
    people.does(MALLORY, vec![lost("alice/primary", "mallory")]);
    assert_eq!(people.word("alice/primary"), "suspended");
    people.does(&["mallory/primary", "bob/primary"], vec![left("alice")]);
    assert_eq!(people.word("alice/primary"), "retired");
    people.does(&["mallory/primary", "bob/primary"], vec![restored("alice/primary")]);
    assert!(!overruled(&people, "mallory"), "she took it back herself");
}

#[test]
fn a_restored_key_exposes_nothing() {
    let mut people = three();
    people.does(MALLORY, vec![compromised("alice/primary", "mallory")]);
    people.does(HONEST, vec![restored("alice/primary")]);
    people.does(&["alice/blue", "bob/primary"], vec![retired("alice/primary")]);
    assert_eq!(exposed(&people, "alice"), [] as [&str; 0]);
}

#[test]
fn no_identity_is_sealed_to_a_key_that_may_not_sign() {
    let mut people = three();
    let keys = ["alice/one", "alice/two", "alice/three"].map(|key| people.enrolment(key));
    let signers = ["alice/one", "alice/two", "alice/three", "alice/primary", "bob/primary"];
    people.does(&signers, keys.to_vec());
    people.does(MALLORY, vec![lost("alice/one", "mallory")]);
    people.does(HONEST, vec![lost("alice/two", "alice"), retired("alice/three")]);
    for slot in ["one", "two", "three"] {
        let rule = people.refused(HONEST, vec![sealed("alice", slot, 1)]);
        assert_eq!(rule, Rule::Event, "{slot}");
    }
}
