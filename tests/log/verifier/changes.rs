//! What somebody may change in a bundle: with its files alone, and with the keys.

use keymuster::log::{Entry, Head};

use super::super::people::People;
use super::Files;

/// Numbers at random, the same in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// The next number below this one (xorshift64*).
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % end
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A bundle in which something was changed, and what. Sometimes the digests are made to fit.
pub fn changed(sound: &Files, dice: &mut Dice) -> (String, Files) {
    let mut files = sound.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    let name = dice.pick(&names).clone();
    let other = dice.pick(&names).clone();
    let bytes = files[&name].clone();
    let at = dice.below(bytes.len().max(1));
    let what = match dice.below(9) {
        0 => {
            files.get_mut(&name).unwrap()[at] ^= 1 << dice.below(8);
            format!("a bit of {name}")
        }
        1 => {
            files.remove(&name);
            format!("{name} removed")
        }
        2 => {
            files.insert(name.clone(), files[&other].clone());
            format!("{other} in place of {name}")
        }
        3 => {
            files.get_mut(&name).unwrap().truncate(at);
            format!("{name} cut off at {at}")
        }
        4 => {
            let all: [&[u8]; 6] = [b"\n", b" ", b"\0", b"x\n", b"\r\n", &[0xff]];
            let more = *dice.pick(&all);
            files.get_mut(&name).unwrap().extend(more);
            format!("{name} longer by {more:?}")
        }
        5 => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let line = lines.remove(dice.below(lines.len()));
            lines.insert(dice.below(lines.len() + 1), line);
            files.insert(name.clone(), lines.concat().into_bytes());
            format!("a line of {name} elsewhere")
        }
        6 => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            lines.remove(dice.below(lines.len()));
            files.insert(name.clone(), lines.concat().into_bytes());
            format!("a line of {name} removed")
        }
        7 => {
            files.insert(format!("entries/more-{at}"), bytes);
            "a file more".to_owned()
        }
        _ => {
            let list = String::from_utf8(files["entries.sha256"].clone()).unwrap();
            let lines: Vec<&str> = list.split_inclusive('\n').collect();
            let fewer = lines[..dice.below(lines.len())].concat();
            files.insert("entries.sha256".to_owned(), fewer.into_bytes());
            "the list cut off".to_owned()
        }
    };
    if name.ends_with(".toml") && dice.below(2) == 0 {
        return (format!("{what}, and listed so"), listed_anew(files));
    }
    (what, files)
}

/// The same with a list of the documents as they are.
fn listed_anew(mut files: Files) -> Files {
    let list = String::from_utf8_lossy(&files["entries.sha256"]).into_owned();
    let anew: String = list
        .split_inclusive('\n')
        .map(|line| match line.get(66..).and_then(|name| files.get(name.trim_end())) {
            Some(document) => {
                let digest = keymuster::log::sha256(document);
                format!("{digest}{}", line.get(64..).unwrap_or_default())
            }
            None => line.to_owned(),
        })
        .collect();
    files.insert("entries.sha256".to_owned(), anew.into_bytes());
    files
}

/// A log in which a document was changed by somebody who has all the keys, so that this and all
/// that follow are signed again.
pub fn resigned(people: &mut People, entries: &[Entry], dice: &mut Dice) -> (String, Files) {
    let mut documents: Vec<String> =
        entries.iter().map(|entry| entry.document_text().to_owned()).collect();
    let place = dice.below(documents.len());
    let (what, text) = edited(&documents, place, dice);
    documents[place] = text;
    let vault = people.log.vault;
    let (mut files, mut list, mut head) = (Files::new(), String::new(), Head::empty(vault));
    let mut enrolled = String::new();
    for (number, mut document) in (1..).zip(documents) {
        if number > place + 1 {
            let link = entries[number - 1].document().previous.to_string();
            document = document.replacen(&link, &head.link.to_string(), 1);
        }
        let slips = entries[number - 1].slips();
        for slip in slips {
            let name = format!("slips/{}", slip.digest());
            files.insert(format!("{name}.toml"), slip.document_text().as_bytes().to_vec());
            for (signer, armor) in slip.document().signers.iter().zip(slip.signatures()) {
                let signer = signer.to_string().replace('/', ".");
                files.insert(format!("{name}.{signer}.sig"), armor.as_bytes().to_vec());
            }
        }
        head = head.after(document.as_bytes());
        let name = format!("entries/{number:06}.toml");
        list.push_str(&format!("{}  {name}\n", keymuster::log::sha256(document.as_bytes())));
        let line = document.lines().find_map(|line| line.strip_prefix("signers = ["));
        let signers = line.unwrap_or_default().trim_end_matches(']').split(", ");
        for signer in signers.map(|signer| signer.trim_matches('"')) {
            if let Some(armor) = people.sign(signer, &head.to_string()) {
                let file = format!("entries/{number:06}.{}.sig", signer.replace('/', "."));
                files.insert(file, armor.into_bytes());
            }
        }
        let documents = slips.iter().map(|slip| slip.document_text()).chain([document.as_str()]);
        for event in documents.flat_map(|document| document.split("\n[[event]]\n").skip(1)) {
            let field = |name: &str| {
                let begin = format!("{name} = \"");
                event.lines().find_map(|l| l.strip_prefix(&begin)).map(|l| l.trim_end_matches('"'))
            };
            if let (Some("key-enrolled"), Some(key), Some(public)) =
                (field("kind"), field("key"), field("public_key"))
            {
                enrolled.push_str(&format!(
                    "{key} namespaces=\"keymuster-head,keymuster-slip\" {public}\n"
                ));
            }
        }
        files.insert(name, document.into_bytes());
    }
    files.insert("entries.sha256".to_owned(), list.into_bytes());
    files.insert("allowed_signers".to_owned(), enrolled.into_bytes());
    (format!("entry {}: {what}, and signed again", place + 1), files)
}

/// Another text of a document: its values, lines or events are those of others, or not there.
fn edited(documents: &[String], place: usize, dice: &mut Dice) -> (String, String) {
    let text = &documents[place];
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let line = dice.below(lines.len());
    let all = documents.concat();
    let values: Vec<&str> =
        all.lines().filter_map(|line| line.split_once(" = ")).map(|l| l.1).collect();
    let what = match dice.below(8) {
        0..=2 => {
            let value = *dice.pick(&values);
            if let Some((name, old)) = lines[line].clone().split_once(" = ") {
                lines[line] = format!("{name} = {value}\n");
                format!("{name} = {value} in place of {}", old.trim_end())
            } else {
                "nothing".to_owned()
            }
        }
        3 => format!("{:?} removed", lines.remove(line)),
        4 => {
            let again = lines[line].clone();
            lines.insert(line, again.clone());
            format!("{again:?} twice")
        }
        5 => {
            let mut events: Vec<&str> = text.split("\n[[event]]\n").collect();
            let other: Vec<&str> = dice.pick(documents).split("\n[[event]]\n").collect();
            // One that only takes in slips has none.
            if events.len() == 1 || other.len() == 1 {
                return ("nothing".to_owned(), text.clone());
            }
            let taken = events.remove(dice.below(events.len() - 1) + 1);
            let what = match dice.below(3) {
                0 if events.len() > 1 => "an event removed",
                1 => {
                    events.extend([taken, taken]);
                    "an event twice, at the end"
                }
                _ => {
                    events.push(taken);
                    events.insert(1, other[1]);
                    "another entry's event first"
                }
            };
            return (what.to_owned(), events.join("\n[[event]]\n"));
        }
        6 => {
            let odd = dice.pick(&["\u{202e}", "\u{7}", "é", "\\", "\"", "  ", "\t", "\u{ad}", "#"]);
            let at = dice.below(lines[line].len());
            let at = (0..=at).rev().find(|at| lines[line].is_char_boundary(*at)).unwrap();
            lines[line].insert_str(at, odd);
            format!("{odd:?} in line {line}")
        }
        _ => {
            let other = *dice.pick(&["0", "3", "10", "-1", "99999999999"]);
            let digits = lines[line].replace(['1', '2'], other);
            let what = format!("{digits:?} in place of {:?}", lines[line]);
            lines[line] = digits;
            what
        }
    };
    (what, lines.concat())
}
