use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A sound runbook, with a step of every kind.
const SOUND: &str = r#"+++
format = 1
runbook = "quarterly"
version = 3
about = "Every quarter, for one account"
purpose = ["rehearsal", "live"]
accounts = "one"
every_days = 90
target_minutes = 30
read_on = 2026-11-20
sources = ["https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user.html"]

[[role]]
id = "operator"
does = "what the steps say"

[[role]]
id = "witness"
does = "watches"

[[role]]
id = "approver"
does = "says yes"
optional = true
+++

# The quarterly drill

Take the *keys* out of the safe.

## Open the safe

Read the number of the seal aloud. <https://example.com> says why.

## Show every key

```toml step
kind = "key"
of = ["operator", "witness"]
minutes = 5
```

Each key is plugged in.

## The token

```toml step
id = "token"
kind = "totp"
by = "witness"
if_not = "write-it-down"
```

## The password

```toml step
kind = "secret"
secret = "password"
compartment = "seeds"
```

## Sign in

```toml step
kind = "sign-in"
expect = "The account's name stands at the top"
```

## Did the alarm come?

```toml step
id = "alarm"
kind = "decide"

[[choice]]
answer = "Yes"
goto = "call"

[[choice]]
answer = "No"
goto = "write-it-down"
```

## Call

```toml step
id = "call"
kind = "phone"
```

## Mail

```toml step
kind = "mailbox"
```

## Wait for the alarm

```toml step
kind = "wait"
until = "the mail is here"
target_minutes = 15
```

## Keep the mail

```toml step
kind = "evidence"
what = "The alarm's mail"
next = "end"
```

## Write it down

```toml step
kind = "record"
asks = ["What happened?", "Who was told?"]
next = "alarm"
```
"#;

#[test]
fn a_sound_runbook_is_read_as_it_is_written() {
    let runbook = read(SOUND.as_bytes()).expect("it is sound");
    assert_eq!((runbook.id.as_str(), runbook.version.get()), ("quarterly", 3));
    assert_eq!(runbook.title.to_string(), "The quarterly drill");
    assert_eq!(runbook.about.to_string(), "Every quarter, for one account");
    assert_eq!(runbook.purposes, [DrillPurpose::Rehearsal, DrillPurpose::Live]);
    assert_eq!(runbook.accounts, DrillScope::One);
    assert_eq!(runbook.every_days.map(NonZeroU32::get), Some(90));
    assert_eq!(runbook.target_minutes.map(NonZeroU32::get), Some(30));
    assert_eq!(runbook.read_on, NaiveDate::from_ymd_opt(2026, 11, 20));
    assert_eq!(runbook.sources.len(), 1);
    assert_eq!(runbook.introduction, "Take the *keys* out of the safe.");
    let roles: Vec<_> =
        runbook.roles.iter().map(|role| (role.id.as_str(), role.optional)).collect();
    assert_eq!(roles, [("operator", false), ("witness", false), ("approver", true)]);

    let step = |id: &str| {
        let found = runbook.steps.iter().position(|step| step.id.as_str() == id);
        let place = found.unwrap_or_else(|| panic!("no step {id}"));
        (place, &runbook.steps[place])
    };
    let kinds: Vec<_> =
        runbook.steps.iter().map(|step| (step.id.as_str(), step.task.kind())).collect();
    assert_eq!(
        kinds,
        [
            ("open-the-safe", "confirm"),
            ("show-every-key", "key"),
            ("token", "totp"),
            ("the-password", "secret"),
            ("sign-in", "sign-in"),
            ("alarm", "decide"),
            ("call", "phone"),
            ("mail", "mailbox"),
            ("wait-for-the-alarm", "wait"),
            ("keep-the-mail", "evidence"),
            ("write-it-down", "record"),
        ]
    );
    let (_, first) = step("open-the-safe");
    assert_eq!(first.prose, "Read the number of the seal aloud. <https://example.com> says why.");
    assert_eq!((first.by.as_str(), first.next), ("operator", Target::Step(1)));
    let (_, keys) = step("show-every-key");
    assert_eq!(keys.prose, "Each key is plugged in.");
    assert_eq!(keys.minutes.map(NonZeroU32::get), Some(5));
    let (_, token) = step("token");
    let (write_down, record) = step("write-it-down");
    assert_eq!((token.by.as_str(), token.if_not), ("witness", Some(Target::Step(write_down))));
    let (alarm, decision) = step("alarm");
    let (call, _) = step("call");
    assert_eq!(decision.ways_on(), [Target::Step(call), Target::Step(write_down)]);
    assert_eq!(record.next, Target::Step(alarm));
    assert_eq!(step("keep-the-mail").1.next, Target::End);
}

/// Breaks the sound one at one place, and says what was found: the rule, the part of the text
/// that it points at, and the message.
#[track_caller]
fn broken(what: &str, with: &str) -> (Rule, String, String) {
    assert_eq!(SOUND.matches(what).count(), 1, "{what:?} must stand there once");
    let text = SOUND.replacen(what, with, 1);
    only_fault(&text)
}

#[track_caller]
fn only_fault(text: &str) -> (Rule, String, String) {
    let faults = read(text.as_bytes()).expect_err("it is broken");
    let [fault] = faults.as_slice() else { panic!("one fault is expected: {faults:#?}") };
    assert!(!fault.hint.is_empty());
    let at = text.get(fault.span.clone()).expect("a span lies in the text, between characters");
    (fault.rule, at.trim_end_matches('\n').to_owned(), fault.message.clone())
}

#[test]
fn each_rule_has_a_runbook_that_breaks_it_and_nothing_else() {
    use Rule::*;
    const ALL_RULES: [Rule; 25] = [
        PlainText,
        Size,
        FrontMatter,
        Format,
        FrontMatterField,
        NeededRole,
        RoleOnce,
        Title,
        Steps,
        Heading,
        StepOnce,
        BlockPlace,
        BlockField,
        Kind,
        KindField,
        NeededField,
        Role,
        Target,
        ChoiceOnce,
        Compartment,
        Unreachable,
        Loop,
        End,
        Showable,
        Link,
    ];
    let token = "id = \"token\"\nkind = \"totp\"";
    let cases: &[(&str, &str, Rule, &str, &str)] = &[
        (
            "Call\n",
            "C\u{202e}all\n",
            PlainText,
            "\u{202e}",
            "there is a control, invisible or bidirectional character",
        ),
        ("Call\n", "Call\r\n", PlainText, "\r", "a line ends with a carriage return"),
        ("Call\n", "C\tall\n", PlainText, "\t", "there is a tab"),
        (
            "Call\n",
            "C\u{200d}all\n",
            PlainText,
            "## C\u{200d}all",
            "there is a joiner or a selector that isn't seen",
        ),
        ("+++\n\n# The", "\n\n# The", FrontMatter, "+++", "the front matter has no end"),
        (
            "format = 1",
            "format = 2",
            Format,
            "2",
            "this version of keymuster reads runbooks of format 1 only",
        ),
        (
            "version = 3",
            "version = 0",
            FrontMatterField,
            "0",
            "a whole number from 1 to 10000 is expected",
        ),
        ("version = 3\n", "", FrontMatterField, "", "missing field `version`"),
        (
            "every_days",
            "each_days",
            FrontMatterField,
            "each_days",
            "unknown field `each_days`, expected one of `format`, `runbook`, `version`, `about`, `purpose`, `accounts`, `every_days`, `target_minutes`, `read_on`, `sources`, `role`",
        ),
        ("[\"rehearsal\", \"live\"]", "[]", FrontMatterField, "[]", "it may be run for nothing"),
        (
            "2026-11-20",
            "2026-11-20T12:00:00Z",
            FrontMatterField,
            "2026-11-20T12:00:00Z",
            "that is no day",
        ),
        (
            "id = \"approver\"",
            "id = \"witness\"",
            RoleOnce,
            "\"witness\"",
            "the role witness stands twice",
        ),
        (
            "does = \"watches\"",
            "does = \"watches\"\noptional = true",
            NeededRole,
            "[[role]]",
            "nobody is witness",
        ),
        ("# The quarterly drill\n\n", "", Title, "", "it has no # heading"),
        ("## Call", "# Again\n\n## Call", Title, "# Again", "there is a # heading already"),
        ("## Call", "##", Heading, "##", "the heading's text is empty"),
        ("\n## Mail\n", "\n## Sign in\n", StepOnce, "## Sign in", "another step is called sign-in"),
        (
            "\n## Mail\n",
            "\n## 鍵\n",
            StepOnce,
            "## 鍵",
            "the step can't be named after its heading",
        ),
        (
            "Take the *keys*",
            "```toml step\nkind = \"key\"\n```\n\nTake the *keys*",
            BlockPlace,
            "```toml step\nkind = \"key\"\n```",
            "the block of a step stands before the first step",
        ),
        (
            "Each key is plugged in.",
            "```toml step\n```",
            BlockPlace,
            "```toml step\n```",
            "a step has one block, and this is the second",
        ),
        (
            "Read the number",
            "- ```toml step\n  kind = \"key\"\n  ```\n\nRead the number",
            BlockPlace,
            "```toml step\n  kind = \"key\"\n  ```",
            "the block of a step stands within something else",
        ),
        (
            "minutes = 5",
            "minuts = 5",
            BlockField,
            "minuts",
            "unknown field `minuts`, expected one of `id`, `kind`, `by`, `expect`, `minutes`, `next`, `if_not`, `of`, `secret`, `compartment`, `what`, `asks`, `choice`, `until`, `target_minutes`",
        ),
        ("minutes = 5", "minutes = five", BlockField, "five", "invalid boolean, expected `false`"),
        ("kind = \"totp\"", "kind = \"otp\"", Kind, "\"otp\"", "there is no step of kind \"otp\""),
        (
            token,
            "id = \"token\"\nkind = \"totp\"\nwhat = \"x\"",
            KindField,
            "\"x\"",
            "a step of kind totp has no what",
        ),
        (
            "id = \"alarm\"\n",
            "id = \"alarm\"\nnext = \"end\"\n",
            KindField,
            "\"end\"",
            "a decision has no next",
        ),
        (
            "what = \"The alarm's mail\"\n",
            "",
            NeededField,
            "\"evidence\"",
            "a step of kind evidence needs what",
        ),
        (
            "of = [\"operator\", \"witness\"]\n",
            "",
            NeededField,
            "\"key\"",
            "a step of kind key needs of",
        ),
        (
            "compartment = \"seeds\"\n",
            "",
            NeededField,
            "\"secret\"",
            "a step of kind secret needs secret and compartment",
        ),
        (
            "target_minutes = 15\n",
            "",
            NeededField,
            "\"wait\"",
            "a step of kind wait needs until and target_minutes",
        ),
        (
            "asks = [\"What happened?\", \"Who was told?\"]",
            "asks = []",
            NeededField,
            "\"record\"",
            "a step of kind record needs asks",
        ),
        ("by = \"witness\"", "by = \"boss\"", Role, "\"boss\"", "nobody has the role boss"),
        (
            "of = [\"operator\", \"witness\"]",
            "of = [\"operator\", \"boss\"]",
            Role,
            "\"boss\"",
            "nobody has the role boss",
        ),
        (
            "of = [\"operator\", \"witness\"]",
            "of = [\"operator\", \"operator\"]",
            RoleOnce,
            "\"operator\"",
            "the role operator stands twice",
        ),
        (
            "if_not = \"write-it-down\"",
            "if_not = \"write-down\"",
            Target,
            "\"write-down\"",
            "there is no step write-down",
        ),
        (
            "answer = \"No\"",
            "answer = \"Yes\"",
            ChoiceOnce,
            "\"Yes\"",
            "two choices have the same words",
        ),
        (
            "compartment = \"seeds\"",
            "compartment = \"records\"",
            Compartment,
            "\"records\"",
            "records is the compartment of the log: readers open it, and no secret is in it",
        ),
        (
            "next = \"end\"",
            "next = \"alarm\"",
            End,
            "## Open the safe",
            "from the first step no way leads to the end",
        ),
        (
            "next = \"alarm\"",
            "next = \"write-it-down\"",
            Loop,
            "## Write it down",
            "from write-it-down on the steps go round, and never to the end",
        ),
        (
            "kind = \"phone\"",
            "kind = \"phone\"\nnext = \"wait-for-the-alarm\"",
            Unreachable,
            "## Mail",
            "no way leads to mail",
        ),
        (
            "Each key is plugged in.",
            "Each key<br>is plugged in.",
            Showable,
            "<br>",
            "HTML isn't shown, neither on paper nor on a terminal",
        ),
        (
            "Each key is plugged in.",
            "![Keys](https://example.com/keys.png)",
            Showable,
            "![Keys](https://example.com/keys.png)",
            "a picture can't be shown on a terminal",
        ),
        (
            "Each key is plugged in.",
            "[Keys](keys.md)",
            Link,
            "[Keys](keys.md)",
            "that link leads nowhere from here",
        ),
        (
            "Each key is plugged in.",
            "[Keys]\n\n[Keys]: https://example.com",
            Link,
            "[Keys]",
            "the address of that link stands elsewhere, where a step doesn't show it",
        ),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(what, with, rule, at, message)| {
            let (seen_rule, seen_at, seen) = broken(what, with);
            let as_expected = (seen_rule, &*seen_at, &*seen) == (*rule, *at, *message);
            (!as_expected)
                .then(|| format!("{what:?} -> {with:?}: {seen_rule:?} at {seen_at:?}: {seen}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let broken: BTreeSet<Rule> = cases.iter().map(|(_, _, rule, ..)| *rule).collect();
    let others = [Size, Steps];
    let missing: Vec<&str> = ALL_RULES
        .into_iter()
        .filter(|rule| !broken.contains(rule) && !others.contains(rule))
        .map(Rule::name)
        .collect();
    assert!(missing.is_empty(), "no sample breaks {missing:?}");
}

/// What a text doesn't hold itself it can spell: as `&#27;`, which Markdown makes a character of.
#[test]
fn nothing_is_hidden_behind_a_reference() {
    let seen = "that stands for a control, invisible or bidirectional character";
    for reference in ["&#27;", "&#x202E;", "&#x9b;", "&zwj;", "&ZeroWidthSpace;", "&Tab;"] {
        let found = broken("Each key is plugged in.", &format!("Each {reference}key."));
        assert_eq!(found, (Rule::PlainText, reference.to_owned(), seen.to_owned()));
        for link in [
            format!("[Keys](https://example.com/{reference})"),
            format!("[Keys](https://example.com \"{reference}\")"),
        ] {
            let found = broken("Each key is plugged in.", &link);
            assert_eq!(found, (Rule::PlainText, link, seen.to_owned()));
        }
    }
    let plain = SOUND.replace("Each key is plugged in.", "A &lt;key&gt; &amp; a bag, &auml;.");
    assert!(read(plain.as_bytes()).is_ok());
}

#[test]
fn sizes_are_bounded() {
    let front = SOUND.split_inclusive("# The quarterly drill\n").next().unwrap();
    let many =
        |what: &dyn Fn(usize) -> String, number| -> String { (0..number).map(what).collect() };
    let step = |n: usize| format!("\n## Step {n}\n");
    assert!(read(format!("{front}{}", many(&step, MAX_STEPS)).as_bytes()).is_ok());
    let cases = [
        (SOUND.to_owned() + &" ".repeat(MAX_BYTES), "it is larger than 256 KiB", ""),
        (
            format!("{front}{}", many(&step, MAX_STEPS + 1)),
            "it has more than 200 steps",
            "## Step 200",
        ),
        (
            SOUND.replace(
                "+++\n\n#",
                &(many(&|n| format!("[[role]]\nid = \"r{n}\"\ndoes = \"x\"\n"), 10) + "+++\n\n#"),
            ),
            "it has more than 12 roles",
            "\"r9\"",
        ),
        (
            SOUND.replace(
                "\n[[choice]]\nanswer = \"No\"",
                &(many(&|n| format!("[[choice]]\nanswer = \"{n}\"\ngoto = \"end\"\n"), 11)
                    + "[[choice]]\nanswer = \"No\""),
            ),
            "it has more than 12 choices",
            "\"No\"",
        ),
    ];
    for (text, message, at) in cases {
        assert_eq!(only_fault(&text), (Rule::Size, at.to_owned(), message.to_owned()));
    }
    let titles = format!("{front}{}", "# Again\n".repeat(20_000));
    assert_eq!(read(titles.as_bytes()).unwrap_err().len(), MAX_FAULTS);
    let (rule, _, message) = only_fault(front);
    assert_eq!((rule, &*message), (Rule::Steps, "it has no steps"));
    let fault = read(b"+++\n\xff").unwrap_err();
    assert_eq!((fault[0].rule, fault[0].span.clone()), (Rule::PlainText, 0..0));
}

#[test]
fn everything_that_is_wrong_is_told_in_the_order_of_the_text() {
    let text = SOUND
        .replace("kind = \"totp\"", "kind = \"otp\"")
        .replace("by = \"witness\"", "by = \"boss\"")
        .replace("minutes = 5", "minutes = -5")
        .replace("does = \"watches\"", "does = \"\"");
    let faults = read(text.as_bytes()).unwrap_err();
    let rules: Vec<&str> = faults.iter().map(|fault| fault.rule.name()).collect();
    assert_eq!(rules, ["front-matter-field", "block-field", "kind"], "{faults:#?}");
}

proptest! {
    /// Whatever stands in a file: it is read or told off, and every fault points into the text.
    #[test]
    fn no_text_breaks_the_reader(
        at in 0..SOUND.len(), cut in 0..40_usize, put in "[\\[\\]#`+=\"<>!*_\\-\n a-z0-9ä鍵]{0,12}",
    ) {
        let at = (0..=at).rev().find(|at| SOUND.is_char_boundary(*at)).unwrap();
        let end = (at + cut..).find(|end| *end >= SOUND.len() || SOUND.is_char_boundary(*end));
        let end = end.unwrap().min(SOUND.len());
        let text = format!("{}{put}{}", &SOUND[..at], &SOUND[end..]);
        for fault in read(text.as_bytes()).err().into_iter().flatten() {
            prop_assert!(text.get(fault.span.clone()).is_some(), "{fault:?}");
            prop_assert!(!fault.message.is_empty() && !fault.hint.is_empty());
        }
    }
}
