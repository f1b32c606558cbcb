//! `keymuster account`: adding, changing, linking, trying, importing and comparing accounts.

use std::fs;

use serde_json::{Value, json};

use super::super::demo_vault::Demo;
use super::{answer, read, recorded, refused};

const BOTH: [&str; 2] = ["alice/primary", "bob/primary"];
const PROD: [&str; 5] = ["account", "add", "prod", "--id", "123456789012"];

fn with_prod() -> Demo {
    let demo = Demo::people();
    demo.run(&PROD).exits(0);
    demo
}

fn show(demo: &Demo, account: &str) -> Value {
    read(demo, &["account", "show", account])
}

#[test]
fn an_account_is_added_by_two_and_shown_with_all_that_is_known() {
    let demo = Demo::people();
    demo.read(&["account", "list"])
        .exits(0)
        .answers(&["No account is recorded: keymuster account"]);
    let details = [
        ["--name", "Production"],
        ["--email", "aws-root@example.com"],
        ["--mailbox-reader", "bob"],
        ["--mailbox-reader", "alice"],
        ["--phone", "+44 20 7946 0000"],
        ["--phone-answerer", "zoe"],
        ["--billing", "Finance <fin@example.com> +44 20 7946 0001"],
        ["--security", "soc@example.com"],
        ["--password-at", "safe 2"],
        ["--tag", "env=prod"],
        ["--mfa", "alice/primary"],
    ];
    let add: Vec<&str> = PROD.into_iter().chain(details.into_iter().flatten()).collect();
    let ran = demo.run(&add).exits(0).says(&[
        "Entry 7, to be signed by alice/primary and bob/primary:\n",
        "the account prod (“Production”) is looked after, aws “123456789012”: its root e-mail \
         address is aws-root@example.com; its root telephone is +44 20 7946 0000; alice, bob may \
         read the root mailbox; zoe may answer the root telephone; its billing contact is “Finance \
         <fin@example.com> +44 20 7946 0001”; its security contact is “soc@example.com”; the root \
         password is kept at “safe 2”; its tags are “env=prod”\n",
        "  alice/primary is registered with the root user of prod\n",
    ]);
    ran.answers(&[
        "Worth a look, of prod:\n",
        "  zoe alone answers the root telephone\n",
        "  alice/primary is the only MFA device that can be used\n",
        "  there is no operations contact\n",
        "Recorded entry 7, signed by alice/primary and bob/primary.",
    ]);
    let prod = show(&demo, "prod");
    assert_eq!(prod["mailbox_readers"], json!(["alice", "bob"]));
    assert_eq!(prod["devices"][0]["device"], "alice/primary");
    assert_eq!(prod["devices"][0]["holder"], "alice");
    assert_eq!(prod["concerns"].as_array().unwrap().len(), 3);
    assert_eq!(show(&demo, "123456789012"), prod, "its id names it too");
    demo.read(&["account", "show", "prod"]).exits(0).answers(&[
        "provider   aws 123456789012\n",
        "e-mail     aws-root@example.com, read by alice, bob\n",
        "telephone  +44 20 7946 0000, answered by zoe\n",
        "password   safe 2\n",
        "MFA        alice/primary, with alice\n",
        "operations -\n",
    ]);
    let row = "prod     aws 123456789012  Production  1    never         3\n1 account\n";
    demo.read(&["account", "list"]).exits(0).answers(&[row]);
    demo.read(&["account", "list", "--tagged", "env=dev"]).answers(&["No account is like that."]);
    demo.read(&["account", "list", "--concerns", "--with", "alice/primary"])
        .answers(&["prod\n  zoe alone answers"]);
}

#[test]
fn what_cant_be_an_account_is_refused() {
    let demo = with_prod();
    let add = |flags: &[&'static str]| [&["account", "add", "other"][..], flags].concat();
    let digits = "an account of aws has an id of twelve digits, and \"12345\" isn't one";
    refused(&demo, &add(&["--id", "12345"]), 2, &[digits]);
    let same = "other is the same account as prod: aws 123456789012";
    refused(&demo, &add(&["--id", "123456789012"]), 1, &[same]);
    let taken = ["account", "add", "prod", "--id", "222222222222"];
    refused(&demo, &taken, 1, &["account prod is taken"]);
    let id = ["--id", "222222222222"];
    for (flags, said) in [
        (["--email", "nobody"], "isn't an e-mail address, such as"),
        (["--phone", "020 7946 0000"], "isn't a telephone number as in +44 20 7946 0000"),
        (["--billing", "Finance"], "isn't an e-mail address, such as"),
        (["--tag", "a,b"], "isn't a tag"),
        (["--mailbox-reader", "Bob B."], "isn't a handle"),
    ] {
        refused(&demo, &add(&[&id[..], &flags].concat()), 2, &[said]);
    }
    let unknown = add(&[&id[..], &["--mfa", "alice/green"]].concat());
    refused(&demo, &unknown, 2, &["there is no key alice/green", "enrolled are: "]);
    let none = add(&[&id[..], &["--no-root-credentials", "--mfa", "alice/blue"]].concat());
    refused(&demo, &none, 2, &["cannot be used with"]);

    demo.read(&["account", "show", "test"]).exits(2).says(&["accounts are: prod"]);
    refused(&demo, &["account", "remove", "test"], 2, &["there is no account test"]);
    refused(&demo, &["account", "change", "prod"], 2, &["required"]);
    refused(&demo, &["account", "mailbox-tested"], 2, &["required"]);
    let unread = ["account", "mailbox-tested", "prod"];
    refused(&demo, &unread, 1, &["prod has no e-mail address of its root user"]);
    let silent = ["account", "phone-tested", "prod", "--failed"];
    refused(&demo, &silent, 2, &["--remark"]);
    let untagged = ["account", "contacts-reviewed", "--tagged", "a=b"];
    refused(&demo, &untagged, 2, &["no account has the tag a=b"]);
}

#[test]
fn details_change_by_one_and_the_root_user_by_two() {
    let demo = with_prod();
    let name = ["account", "change", "prod", "--name", "Production", "--tag", "env=prod"];
    recorded(&demo, &name, &["account-changed"], &["alice/primary"]);
    demo.run(&name).exits(0).answers(&["It is so already."]);
    let both = [&name[..4], &["Prod", "--email", "aws@example.com"]].concat();
    recorded(&demo, &both, &["root-user-changed", "account-changed"], &BOTH);
    let forget = ["account", "change", "prod", "--forget", "tags", "--forget", "billing"];
    demo.run(&forget).exits(0).says(&["of the account prod: forgotten: its tags\n"]);
    demo.run(&forget).exits(0).answers(&["It is so already."]);
    assert_eq!(show(&demo, "prod")["tags"], json!([]));
    let gone = ["account", "change", "prod", "--root-credentials", "no"];
    recorded(&demo, &gone, &["root-user-changed"], &BOTH);
    demo.read(&["account", "show", "prod"]).exits(0).answers(&["root user  no root credentials\n"]);
    let proven = ["account", "sign-in-proven", "prod"];
    refused(&demo, &proven, 1, &["prod has no root credentials to sign in with"]);
    let link = ["account", "link", "alice/blue", "prod"];
    refused(&demo, &link, 1, &["prod has no root credentials, and so no MFA device"]);
}

#[test]
fn a_key_or_a_token_is_linked_and_unlinked() {
    let demo = with_prod();
    demo.run(&["account", "add", "test", "--id", "222222222222", "--tag", "env=test"]).exits(0);
    refused(&demo, &["account", "link", "prod", "alice/blue"], 2, &["isn't the name of a key"]);
    let swapped = ["account", "link", "alice/blue", "alice/blue"];
    refused(&demo, &swapped, 2, &["the device comes first, then the accounts"]);
    let slip = ["account", "link", "phone", "prod"];
    refused(&demo, &slip, 2, &["phone isn't the name of a key", "say so with --token"]);
    let key = ["account", "link", "alice/blue", "prod", "--token"];
    refused(&demo, &key, 2, &["alice/blue is the name of a key, not of a token"]);
    let held = ["account", "link", "alice/blue", "prod", "--held-by", "bob"];
    refused(&demo, &held, 2, &["--token"]);

    let blue = ["account", "link", "alice/blue", "prod", "--tagged", "env=test"];
    recorded(&demo, &blue, &["device-linked"], &BOTH);
    demo.run(&blue).exits(0).answers(&["It is so already."]);
    let phone = ["account", "link", "phone", "prod", "--token", "--held-by", "bob"];
    recorded(&demo, &phone, &["device-linked"], &BOTH);
    let carol = ["account", "token", "prod", "phone", "--held-by", "carol", "--kept-at", "safe 2"];
    recorded(&demo, &carol, &["token-moved"], &["alice/primary"]);
    demo.run(&carol).exits(0).answers(&["It is so already."]);
    refused(
        &demo,
        &phone,
        2,
        &["prod has a token phone already, which is elsewhere", "account token"],
    );
    let token = ["account", "link", "phone", "prod", "--token"];
    demo.run(&token).exits(0).answers(&["It is so already."]);
    demo.read(&["account", "show", "prod"])
        .exits(0)
        .answers(&["MFA        phone (token), with carol, at safe 2\n"]);

    // A lost key has to be deregistered everywhere.
    demo.run(&["key", "lost", "alice/blue"]).exits(0);
    let due = "alice/blue is lost, and registered with the root user of prod, test still: remove it \
               there, then keymuster account unlink alice/blue prod test";
    demo.read(&["vault", "show"]).exits(0).answers(&[due]);
    demo.read(&["account", "show", "test"]).exits(0).answers(&[
        "MFA        alice/blue LOST, with alice\n",
        "  alice/blue is registered with the root user, and suspended, lost or out of service\n",
    ]);
    let gone = ["account", "unlink", "alice/blue", "prod", "test", "--remark", "by carol"];
    recorded(&demo, &gone, &["device-unlinked"], &BOTH);
    let due = read(&demo, &["vault", "show"])["due"].to_string();
    assert!(!due.contains("alice/blue is lost"), "{due}");
    refused(&demo, &gone, 1, &["alice/blue isn't registered with prod"]);
}

#[test]
fn what_was_tried_is_recorded_whether_it_passed_or_failed() {
    let demo = with_prod();
    let reach = ["--email", "aws@example.com", "--phone", "+1 555 0100"];
    demo.run(&[&["account", "change", "prod"][..], &reach].concat()).exits(0);
    demo.run(&["account", "link", "alice/blue", "prod"]).exits(0);
    for (verb, event) in [
        ("contacts-reviewed", "contacts-reviewed"),
        ("mailbox-tested", "mailbox-tested"),
        ("phone-tested", "phone-tested"),
    ] {
        recorded(&demo, &["account", verb, "prod", "--by", "bob"], &[event], &["bob/primary"]);
    }
    let failed = ["account", "mailbox-tested", "prod", "--failed", "--remark", "bounced"];
    demo.run(&failed)
        .exits(0)
        .says(&["of prod: A MESSAGE TO THE ROOT USER DIDN'T ARRIVE: “bounced”\n"]);
    let with = ["account", "sign-in-proven", "prod", "--with", "alice/blue", "--evidence", "e-1"];
    recorded(&demo, &with, &["sign-in-proven"], &["alice/primary"]);
    let other = ["account", "sign-in-proven", "prod", "--with", "bob/primary"];
    refused(&demo, &other, 1, &["bob/primary isn't registered with prod"]);
    let trials = show(&demo, "prod")["trials"].clone();
    assert_eq!(trials.as_array().unwrap().len(), 4);
    assert_eq!(trials[1]["what"], "mailbox-tested");
    assert_eq!(trials[1]["outcome"], "failed");
    assert_eq!(trials[1]["remark"], "bounced");
    assert!(trials[1]["last_passed"].is_string());
    assert_eq!(trials[3]["device"], "alice/blue");
    let shown = demo.read(&["account", "show", "prod"]).exits(0).stdout;
    assert!(shown.contains(": bounced; last passed 20"), "{shown}");
    let day = trials[3]["last"].as_str().unwrap().split('T').next().unwrap();
    demo.read(&["account", "list"]).exits(0).answers(&[day]);
}

/// A handle that is another account's id could have the wrong one changed.
#[test]
fn a_handle_that_is_the_id_of_another_account_names_neither() {
    let demo = with_prod();
    let add = ["account", "add", "123456789012", "--id", "222222222222"];
    recorded(&demo, &add, &["account-added"], &BOTH);
    let said = "123456789012 is the handle of one account, and the id of prod";
    demo.read(&["account", "show", "123456789012"]).exits(2).says(&[said, "name prod so"]);
    demo.read(&["account", "show", "222222222222"]).exits(0);
    demo.read(&["account", "show", "prod"]).exits(0);
}

#[test]
fn an_account_that_was_removed_is_still_known() {
    let demo = with_prod();
    let remove = ["account", "remove", "prod", "--remark", "closed"];
    recorded(&demo, &remove, &["account-removed"], &BOTH);
    refused(&demo, &remove, 2, &["the account prod was removed"]);
    demo.read(&["account", "list"]).exits(0).answers(&["No account is recorded"]);
    demo.read(&["account", "list", "--all"]).exits(0).answers(&["prod", "removed 20"]);
    demo.read(&["account", "show", "prod"]).exits(0).answers(&["REMOVED    20"]);
}

/// Writes a list beside the demo and gives its name.
fn list(demo: &Demo, name: &str, text: &str) -> String {
    fs::write(demo.path(name), text).unwrap();
    format!("demo/{name}")
}

const LIST: &str = "account,id,name,root_email,mailbox_readers,root_credentials,devices\n\
    prod,123456789012,Production,aws@example.com,alice;bob,yes,alice/primary; phone\n\
    ,000000000002,Payments,aws+pay@example.com,,yes,alice/primary\n\
    ,000000000003,Payments,aws+pay3@example.com,,no,\n";

#[test]
fn a_spreadsheet_is_imported_as_a_whole_and_only_adds() {
    let demo = Demo::people();
    let file = list(&demo, "list.csv", LIST);
    let import = ["account", "import", &file];
    let before = demo.snapshot();
    demo.read(&[&import[..], &["--dry-run"]].concat()).exits(0).answers(&[
        "row 2: aws 123456789012 is added as prod\n",
        "row 3: aws 000000000002 is added as payments\n",
        "row 4: aws 000000000003 is added as payments-000000000003\n",
        "3 rows: 3 to be added\nNothing was recorded.\n",
    ]);
    assert!(demo.snapshot() == before);
    let events =
        ["account-added", "account-added", "account-added", "device-linked", "device-linked"];
    let told = recorded(&demo, &import, &events, &BOTH);
    assert!(told["words"].as_str().unwrap().contains("3 accounts: there is no billing contact"));
    assert_eq!(show(&demo, "payments-000000000003")["root_credentials"], false);
    assert_eq!(show(&demo, "payments")["devices"][0]["device"], "alice/primary");
    demo.run(&import).exits(0).says(&["3 rows: 3 here already"]).answers(&["It is so already.\n"]);

    let changed = LIST.replace("Production", "Prod").replace("alice/primary; phone", "phone");
    let more = list(&demo, "more.csv", &format!("{changed}new,000000000004,New,,,,\n"));
    let ran = demo.run(&["account", "import", &more, "--json"]);
    ran.exits(0).says(&[
        "row 2: aws 123456789012 is here as prod, and differs:\n",
        "  name: here \"Production\", there \"Prod\"\n",
        "  devices: here \"alice/primary; phone\", there \"phone\"\n",
        "4 rows: 1 to be added, 3 here already, 1 of them with other details there\n",
    ]);
    assert_eq!(show(&demo, "prod")["name"], "Production", "an import changes nothing");
    assert_eq!(show(&demo, "new")["id"], "000000000004");
}

#[test]
fn one_wrong_row_and_nothing_is_imported() {
    let demo = with_prod();
    let rows = [
        "a,000000000001,A,,,,",
        "a,000000000002,A again,,,,",
        "b,000000000001,B,,,,",
        "c,3,C,,,,",
        "d,000000000004,D,nobody,,,",
        "e,000000000005,E,,,,alice/green",
        "f,000000000006,F,,,no,alice/blue",
        "prod,000000000007,G,,,,",
        "h,000000000008,H",
    ];
    let heading = LIST.lines().next().unwrap();
    let file = list(&demo, "bad.csv", &format!("{heading}\n{}\n", rows.join("\n")));
    let import = ["account", "import", &file];
    let wrong = [
        "row 3: aws 000000000002 is WRONG: account a is taken",
        "row 4: aws 000000000001 is WRONG: it is the same account as in row 2",
        "row 5 is WRONG: id: it has fewer than twelve digits; a spreadsheet drops zeros in front",
        "row 6 is WRONG: root_email: \"nobody\" isn't an e-mail address",
        "row 7: aws 000000000005 is WRONG: there is no key alice/green",
        "row 8: aws 000000000006 is WRONG: f has no root credentials, and so no MFA device",
        "row 9: aws 000000000007 is WRONG: account prod is taken",
        "row 10 is WRONG: it has 3 fields where the headings have 7",
    ];
    let said = [&["8 rows of the list are wrong, so nothing was recorded"][..], &wrong].concat();
    refused(&demo, &import, 1, &said);
    let dry = demo.read(&[&import[..], &["--dry-run"]].concat()).exits(3);
    dry.answers(&wrong).answers(&["9 rows: 1 to be added, 8 wrong\n"]);

    for (text, said, hint) in [
        ("", "it is empty", "is no list"),
        ("id\n", "it lists no account", "is no list"),
        ("id,colour\n", "\"colour\" isn't a column of such a list", "columns are: account, "),
        ("name\nx\n", "it has no column id", "columns are: account, "),
        ("id,name\n123456789013,\"x\n", "a quote that opens a field is never closed", "is no list"),
        ("{\"Users\": []}", "not what aws organizations list-accounts prints", "is no list"),
        ("{\"Accounts\": [\n", "line 2, column 0: it isn't JSON", "is no list"),
        ("{\"Accounts\":[],\"NextToken\":\"x\"}", "goes on at its NextToken", "--max-items"),
    ] {
        let file = list(&demo, "none.csv", text);
        refused(&demo, &["account", "import", &file], 1, &[said, hint]);
    }
    fs::write(demo.path("latin.csv"), b"id,name\n123456789013,M\xfcnchen\n").unwrap();
    let latin = ["account", "import", "demo/latin.csv"];
    refused(&demo, &latin, 1, &["it isn't UTF-8 text", "save it as CSV in UTF-8"]);
    refused(&demo, &["account", "import", "demo/nowhere.csv"], 1, &["couldn't read demo/nowhere"]);
    refused(&demo, &["account", "import", "demo"], 1, &["couldn't read demo"]);
    let large = fs::File::create(demo.path("large.csv")).unwrap();
    large.set_len((16 << 20) + 1).unwrap();
    refused(&demo, &["account", "import", "demo/large.csv"], 1, &["is larger than 16 MiB"]);
}

#[test]
fn a_list_of_an_organisation_is_imported_and_compared() {
    let demo = with_prod();
    let account = |id: &str, name: &str, status: &str| {
        json!({"Id": id, "Arn": format!("arn:aws:organizations::1:account/o-1/{id}"),
            "Name": name, "Email": format!("aws+{id}@example.com"), "Status": status})
    };
    let listed = json!({"Accounts": [
        account("222222222222", "Log Archive", "ACTIVE"),
        account("333333333333", "Old", "SUSPENDED"),
    ]});
    let file = list(&demo, "list.json", &listed.to_string());
    let differ = demo.read(&["account", "compare", &file]).exits(3);
    differ.answers(&[
        "row 1: aws 222222222222 is missing here\n",
        "row 2: aws 333333333333 is left out: SUSPENDED\n",
        "prod: aws 123456789012 is gone there\n",
        "2 rows: 1 missing here, 1 gone there, 0 different, 0 wrong\n",
    ]);
    let import = ["account", "import", &file, "--no-root-credentials"];
    recorded(&demo, &import, &["account-added"], &BOTH);
    let archive = show(&demo, "log-archive");
    assert_eq!(archive["root_email"], "aws+222222222222@example.com");
    assert_eq!(archive["root_credentials"], false);
    demo.run(&["account", "remove", "prod"]).exits(0);
    let same = "The list and the vault have the same accounts, but for 1 account missing here that the \
                list doesn't call active.\n";
    demo.read(&["account", "compare", &file]).exits(0).answers(&[same]);
    // What was removed here and is there still may have been removed by mistake, or not.
    let back = json!([account("123456789012", "Prod", "ACTIVE")]).to_string();
    let back = list(&demo, "back.json", &back);
    let said =
        "row 1: aws 123456789012 is added as prod-123456789012: it was removed, as prod, in entry ";
    demo.read(&["account", "import", &back, "--dry-run"]).exits(0).answers(&[said]);
    demo.copied().run(&["account", "import", &back]).exits(0).says(&[said]);
    let missing = "row 1: aws 123456789012 is missing here: it was removed, as prod, in entry ";
    demo.read(&["account", "compare", &back]).exits(3).answers(&[missing]);
    // A list that gives the handle can't have it: no handle is used twice.
    let named = list(&demo, "named.csv", "account,id\nprod,123456789012\n");
    let said = "row 2: aws 123456789012 is WRONG: account prod is taken, and no name is used \
                twice; it was removed, as prod, in entry ";
    demo.read(&["account", "import", &named, "--dry-run"]).exits(3).answers(&[said]);
    // Of several removals, the last is told, whatever the handles were.
    let again = demo.copied();
    again.run(&["account", "add", "a-prod", "--id", "123456789012"]).exits(0);
    again.run(&["account", "remove", "a-prod"]).exits(0);
    let said = "it was removed, as a-prod, in entry ";
    again.read(&["account", "import", &back, "--dry-run"]).exits(0).answers(&[said]);
    let closing = listed.to_string().replace("ACTIVE", "PENDING_CLOSURE");
    let closing = list(&demo, "closing.json", &closing);
    let view = demo.read(&["account", "compare", &closing, "--json"]).exits(3).stdout;
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["rows"][0]["differences"][0]["there"], "PENDING_CLOSURE");
    assert_eq!(view["gone"], json!([]));
    // A row that can't be read may be the one that isn't there.
    let wrong = list(&demo, "wrong.csv", "id,root_email\n222222222222,nobody\n");
    let ran = demo.read(&["account", "compare", &wrong]).exits(3);
    ran.answers(&["row 2 is WRONG", "no account is told to be gone there", "0 gone there"]);
}

/// Ten thousand accounts are one entry, which both sign once.
#[test]
fn ten_thousand_accounts_are_one_entry() {
    let demo = Demo::people();
    let row = |n: usize| {
        let domain = if n == 5000 { "example.org" } else { "example.com" };
        format!("a-{n},{n:012},Account {n},aws+{n}@{domain},alice;bob,yes,alice/primary;phone\n")
    };
    let rows: String = (0..10_000).map(row).collect();
    let heading = LIST.lines().next().unwrap();
    let file = list(&demo, "many.csv", &format!("{heading}\n{rows}"));
    let ran = demo.run(&["account", "import", &file, "--json"]);
    assert_eq!(super::touches(&ran).len(), 3, "one to open the vault, and two signatures");
    // All are named, and what one of them has and no other stands out, below them.
    let named = ran.stderr.lines().filter(|line| line.starts_with("  the account a-")).count();
    assert_eq!(named, 10_000);
    let one = "  the account a-5000 (“Account 5000”) is looked after, aws “000000005000”, \
               aws+5000@example.org\n";
    assert!(ran.stderr.contains(one), "{}", ran.stderr);
    let of =
        ran.stderr.find("is registered with the root user of 10000 accounts: a-0, a-1, a-10, a");
    assert!(of.is_some_and(|from| ran.stderr[from..].contains(", a-9999")));
    let last: String = ran.stderr.lines().rev().take(12).map(|line| format!("{line}\n")).collect();
    assert!(last.contains("how many of these last 9980"), "{last}");
    for said in [
        "  how many of these last 9980 accounts have what:\n",
        "    provider aws (9980)\n",
        "    root e-mail at example.org (1), example.com (9979)\n",
        "    mailbox read by alice and bob (9980)\n",
    ] {
        assert!(ran.stderr.contains(said), "{said:?} isn't in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("telephone"), "nobody has one: {}", ran.stderr);
    let told = answer(ran);
    assert_eq!(told["events"].as_array().unwrap().len(), 10_002);
    let listed = read(&demo, &["account", "list", "--with", "phone"]);
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 10_000);
    assert_eq!(show(&demo, "a-9999")["devices"][1]["device"], "phone");
    demo.read(&["log", "verify"]).exits(0).answers(&["SOUND: 7 entries"]);
}

/// AWS's console shows an id in three groups.
#[test]
fn an_id_may_have_hyphens_as_aws_shows_it() {
    let demo = with_prod();
    let add = |id: &'static str| ["account", "add", "test", "--id", id];
    refused(&demo, &add("1234-5678-901"), 2, &["has an id of twelve digits"]);
    refused(&demo, &add("1234-5678-901x"), 2, &["has an id of twelve digits"]);
    demo.run(&add("2222-2222-2222")).exits(0).says(&["aws “222222222222”"]);
    assert_eq!(read(&demo, &["account", "show", "2222-2222-2222"])["account"], "test");
    let rows = list(&demo, "list.csv", "account,id\nthird,3333-3333-3333\nagain,2222-2222-2222\n");
    demo.read(&["account", "import", &rows, "--dry-run"]).exits(0).answers(&[
        "row 2: aws 333333333333 is added as third\n",
        "row 3: aws 222222222222 is here as test",
        "It would be recorded that\n  the account third is looked after, aws “333333333333”\n",
    ]);
}

/// What failed when it was last tried stands out until it passes.
#[test]
fn a_failed_trial_is_worth_a_look_until_it_passes() {
    let demo = with_prod();
    let concern = "when the contacts were last reviewed, they weren't current";
    let failed = ["account", "contacts-reviewed", "prod", "--failed", "--remark", "one has left"];
    demo.run(&failed).exits(0);
    let shown = |demo: &Demo| read(demo, &["account", "show", "prod"])["concerns"].to_string();
    assert!(shown(&demo).contains(concern), "{}", shown(&demo));
    demo.run(&["account", "contacts-reviewed", "prod"]).exits(0);
    assert!(!shown(&demo).contains(concern));
    demo.run(&["account", "link", "fob", "prod", "--token"])
        .exits(0)
        .answers(&["  who has fob, and where it is kept, isn't recorded\n"]);
}

/// Whoever is named may be nobody's colleague: a slip of the keyboard is seen before a touch.
#[test]
fn whom_the_vault_does_not_know_is_told() {
    let demo = with_prod();
    let note = "NOTE: zoe is no custodian here, and is recorded by that name only.";
    let change =
        ["account", "change", "prod", "--mailbox-reader", "zoe", "--mailbox-reader", "bob"];
    let ran = demo.run(&change).exits(0).says(&[note]);
    assert!(!ran.stderr.contains("bob is no custodian"), "{}", ran.stderr);
    let link = ["account", "link", "fob", "prod", "--token", "--held-by", "zoe"];
    demo.run(&link).exits(0).says(&[note]);
}

/// Nothing that is in custody is forgotten with its account, nor with its token.
#[test]
fn what_is_in_custody_of_what_goes_is_told() {
    let demo = super::secrets::with_token();
    super::secrets::store_seed(&demo);
    demo.run(&["account", "unlink", "phone", "prod"]).exits(0).answers(&[
        "Its seed is in custody still, as prod-seed.\n",
        "  no MFA device that can be used is recorded\n",
    ]);
    demo.run(&["account", "remove", "prod"])
        .exits(0)
        .answers(&["What is in custody of it stays there: prod-seed.\n"]);
}
