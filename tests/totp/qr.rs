//! `keymuster totp check --qr`: QR codes made by a peer's tool, in pictures of every kind, read
//! in a confined child.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use image::{DynamicImage, GenericImage as _, GrayImage, ImageFormat, Luma, RgbaImage, imageops};
use keymuster::confinement::Confinement;
use keymuster::picture::Helper;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::demo_vault::{Ran, keymuster_in, tool};
use super::is_long;

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BINARY: &str = env!("CARGO_BIN_EXE_keymuster");

fn uri(account: &str) -> String {
    format!("otpauth://totp/Amazon:{account}?secret={SEED}&issuer=Amazon")
}

/// The code of a text, as qrencode makes it.
fn code(text: &str) -> GrayImage {
    let png = tool("qrencode", &["-o", "-", "-s", "6", "-m", "4", "-l", "M"], text.as_bytes());
    image::load_from_memory_with_format(&png, ImageFormat::Png).unwrap().into_luma8()
}

/// A sheet of white paper with these on it, one below the other.
fn sheet(codes: &[GrayImage]) -> GrayImage {
    let width = codes.iter().map(GrayImage::width).max().unwrap() + 80;
    let height = codes.iter().map(|code| code.height() + 60).sum::<u32>() + 60;
    let mut sheet = GrayImage::from_pixel(width, height, Luma([255]));
    let mut y = 60;
    for code in codes {
        sheet.copy_from(code, 40, y).unwrap();
        y += code.height() + 60;
    }
    sheet
}

/// SplitMix64, which is the same each time.
fn by_chance() -> impl FnMut() -> u64 {
    let mut state = 7_u64;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Specks: of each thousand pixels so many are black or white by chance.
fn speckled(picture: &GrayImage, in_a_thousand: u64) -> GrayImage {
    let mut next = by_chance();
    let mut noisy = picture.clone();
    for pixel in noisy.pixels_mut() {
        if next() % 1000 < in_a_thousand {
            pixel.0[0] = if next().is_multiple_of(2) { 0 } else { 255 };
        }
    }
    noisy
}

/// White paper of this size with the code on it, somewhere.
fn scan(width: u32, height: u32, code: &GrayImage) -> GrayImage {
    let mut scan = GrayImage::from_pixel(width, height, Luma([255]));
    scan.copy_from(code, width / 2 + 37, height / 3 + 11).unwrap();
    scan
}

/// A PNG of black and white pixels by chance, each one bit, so that the largest can be sent.
fn noise(width: u32, height: u32, black_in_a_thousand: u64) -> Vec<u8> {
    let mut next = by_chance();
    let row = width.div_ceil(8) as usize + 1;
    let mut pixels = vec![0_u8; row * height as usize];
    for line in pixels.chunks_mut(row) {
        // The first byte tells how the line is packed: not at all.
        for pixel in 0..width as usize {
            let white = u8::from(next() % 1000 >= black_in_a_thousand);
            line[1 + pixel / 8] |= white << (7 - pixel % 8);
        }
    }
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    let chunks = [chunk(b"IHDR", &header), chunk(b"IDAT", &stored(&pixels)), chunk(b"IEND", &[])];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat()
}

/// Bytes as a stream of zlib that packs nothing.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let last = bytes.len().div_ceil(0xffff) - 1;
    for (number, block) in bytes.chunks(0xffff).enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(number == last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (a + b) % 65_521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// Turned by a few degrees, around its middle.
fn turned(picture: &GrayImage, degrees: f64) -> GrayImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = picture.dimensions();
    let middle = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    GrayImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) - middle.0, f64::from(y) - middle.1);
        let (from_x, from_y) = (middle.0 + dx * cos - dy * sin, middle.1 + dx * sin + dy * cos);
        let inside =
            (0.0..f64::from(width)).contains(&from_x) && (0.0..f64::from(height)).contains(&from_y);
        if inside { *picture.get_pixel(from_x as u32, from_y as u32) } else { Luma([255]) }
    })
}

/// Checks the two codes of the seed against what is in a file.
fn check(folder: &Path, file: &str, flags: &[&str]) -> Ran {
    let check = ["totp", "check", "--qr", file, "--at", "2026-11-22T12:00:30Z"];
    let codes = ["--code", "738534", "--code", "286530"];
    keymuster_in(folder, &[&check[..], &codes, flags].concat())
}

fn save(folder: &Path, name: &str, picture: impl Into<DynamicImage>) {
    picture.into().save(folder.join(name)).unwrap();
}

#[test]
fn a_seed_is_read_from_pictures_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let plain = sheet(&[code(&uri("root@123456789012"))]);
    let mut inverted = plain.clone();
    imageops::invert(&mut inverted);
    let colour = DynamicImage::from(plain.clone()).into_rgba8();
    let tinted = RgbaImage::from_fn(colour.width(), colour.height(), |x, y| {
        let [light, ..] = colour.get_pixel(x, y).0;
        image::Rgba([light.max(20), light.max(60), light / 2 + 40, 255])
    });
    let deep = DynamicImage::from(plain.clone()).into_luma16();
    let pictures: [(&str, DynamicImage); 14] = [
        ("plain.png", plain.clone().into()),
        ("plain.jpg", plain.clone().into()),
        ("bare.png", code(&uri("root@123456789012")).into()),
        ("inverted.png", inverted.clone().into()),
        ("inverted.jpg", inverted.clone().into()),
        ("quarter.png", imageops::rotate90(&plain).into()),
        ("half.png", imageops::rotate180(&plain).into()),
        ("three-quarters.png", imageops::rotate270(&inverted).into()),
        ("askew.png", turned(&plain, 7.0).into()),
        ("far-askew.png", turned(&plain, -23.0).into()),
        ("noisy.png", speckled(&plain, 40).into()),
        ("noisy-inverted.png", speckled(&inverted, 40).into()),
        ("colour.png", tinted.into()),
        ("deep.png", deep.into()),
    ];
    for (name, picture) in pictures {
        save(folder.path(), name, picture);
        let ran = check(folder.path(), name, &[]);
        assert_eq!(ran.exit, 0, "{name}: {ran:?}");
        ran.answers(&["one after the other", "The URI names Amazon, root@123456789012."]);
    }
    // A scan of low quality.
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 20);
    speckled(&plain, 20).write_with_encoder(encoder).unwrap();
    std::fs::write(folder.path().join("poor.jpg"), jpeg).unwrap();
    check(folder.path(), "poor.jpg", &[]).exits(0);
    // A palette of two colours, one bit a pixel, as qrencode has it; and the same moving.
    let palette = tool("qrencode", &["-o", "-", "-s", "6"], uri("root@123456789012").as_bytes());
    std::fs::write(folder.path().join("palette.png"), &palette).unwrap();
    check(folder.path(), "palette.png", &[]).exits(0);
    std::fs::write(folder.path().join("moving.png"), moving(&palette)).unwrap();
    check(folder.path(), "moving.png", &[]).exits(0);
    // Only base32, as some sheets have it.
    save(folder.path(), "base32.png", sheet(&[code(SEED)]));
    check(folder.path(), "base32.png", &[]).exits(0);
}

#[test]
fn a_code_on_a_transparent_ground_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for ink in ["000000ff", "ffffffff", "102060ff"] {
        let colours = ["--foreground", ink, "--background", "00000000"];
        for kind in ["png", "png32"] {
            let flags = ["-o", "-", "-s", "6", "-m", "4", "-t", kind];
            let png = tool("qrencode", &[&flags[..], &colours].concat(), uri("prod").as_bytes());
            std::fs::write(folder.path().join("clear.png"), png).unwrap();
            let ran = check(folder.path(), "clear.png", &[]);
            assert_eq!(ran.exit, 0, "{ink}, {kind}: {ran:?}");
        }
    }
}

/// Two centimetres of a sheet that was scanned at 300 dots an inch, which are too coarse in what
/// is searched first, and three of one at 600.
#[test]
fn a_small_code_on_a_large_scan_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let code = code(&uri("root@123456789012"));
    let sized = |side| imageops::resize(&code, side, side, imageops::FilterType::Triangle);
    let mut scans = vec![("300.png", scan(2480, 3508, &sized(236)))];
    if is_long() {
        let fine = scan(4960, 7016, &sized(709));
        scans.extend([("600.png", fine.clone()), ("600.jpg", fine)]);
    }
    for (name, scan) in scans {
        save(folder.path(), name, scan);
        let ran = check(folder.path(), name, &[]);
        assert_eq!(ran.exit, 0, "{name}: {ran:?}");
    }
}

/// In some noise three corners of a code seem to be everywhere, and one could search for hours.
#[test]
fn noise_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut kinds = vec![(1732, 1732, 540)];
    if is_long() {
        kinds.extend([480, 500, 520, 540, 570].map(|black| (7071, 7071, black)));
        kinds.push((4000, 4000, 520));
    }
    for (width, height, black) in kinds {
        std::fs::write(folder.path().join("noise.png"), noise(width, height, black)).unwrap();
        let ran = check(folder.path(), "noise.png", &[]).exits(1);
        let given_up = ["no QR code was found in it", "the QR code in it can't be made out"];
        // How long 16 megapixels or 50 take is the machine's affair: the deadline ends them, too.
        let late = width > 2000 && ran.stderr.contains("reading it takes too long");
        let said = late || given_up.iter().any(|words| ran.stderr.contains(words));
        assert!(said, "{width} x {height}, {black}: {ran:?}");
    }
}

#[test]
fn several_codes_are_listed_and_one_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let codes = [code(&uri("prod")), code("https://example.com/a-poster"), code(&uri("test"))];
    save(folder.path(), "three.png", sheet(&codes));
    let ran = check(folder.path(), "three.png", &[]).exits(2);
    let ran = ran.says(&[
        "error: three.png has 3 QR codes",
        "is Amazon, prod",
        "is Amazon, test",
        "is no otpauth URI",
        "choose one with --qr-number: 1 is ",
    ]);
    assert!(!format!("{ran:?}").contains(SEED), "{ran:?}");
    assert!(!ran.stderr.contains("a-poster"), "what can't be named isn't shown: {ran:?}");
    let number = |what: &str| {
        let place = ran.stderr.find(&format!(" is {what}")).unwrap();
        ran.stderr[..place].rsplit(' ').next().unwrap().to_owned()
    };
    for account in ["prod", "test"] {
        let number = number(&format!("Amazon, {account}"));
        let named = format!("The URI names Amazon, {account}.");
        check(folder.path(), "three.png", &["--qr-number", &number]).exits(0).answers(&[&named]);
    }
    let poster = number("no otpauth URI");
    check(folder.path(), "three.png", &["--qr-number", &poster])
        .exits(1)
        .says(&["that is no seed"]);
    for wrong in ["0", "4"] {
        check(folder.path(), "three.png", &["--qr-number", wrong]).exits(2).says(&["3 QR codes"]);
    }
    // The same code twice is one.
    save(folder.path(), "twice.png", sheet(&[codes[0].clone(), codes[0].clone()]));
    check(folder.path(), "twice.png", &[]).exits(0);
    check(folder.path(), "twice.png", &["--qr-number", "2"]).exits(2).says(&["one QR code only"]);
}

/// A PNG as the first of two pictures of an animation, the second of which never comes.
fn moving(png: &[u8]) -> Vec<u8> {
    let (width, height) = (&png[16..20], &png[20..24]);
    let rest = [0_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    let control = chunk(b"acTL", &[2_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat());
    let first = [&[0; 4], width, height, &rest, &[0, 1, 0, 10, 0, 0]].concat();
    [&png[..33], &control, &chunk(b"fcTL", &first), &png[33..]].concat()
}

/// A chunk of PNG, with its length and its checksum.
fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [kind, body].concat();
    let sum = !named.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }
        })
    });
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], &named, &sum.to_be_bytes()].concat()
}

/// A PNG of so many white pixels, which packs well.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    GrayImage::from_pixel(width, height, Luma([255])).write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

#[test]
fn what_gives_no_code_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let plain = sheet(&[code(&uri("prod"))]);
    save(folder.path(), "plain.png", plain.clone());
    let whole = std::fs::read(folder.path().join("plain.png")).unwrap();
    save(folder.path(), "plain.jpg", plain.clone());
    let jpeg = std::fs::read(folder.path().join("plain.jpg")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let white = GrayImage::from_pixel(800, 800, Luma([255]));
    save(folder.path(), "white.png", white.clone());
    save(folder.path(), "dot.png", GrayImage::from_pixel(1, 1, Luma([0])));
    save(folder.path(), "noise.png", speckled(&white, 700));
    save(folder.path(), "illegible.png", speckled(&plain, 330));
    let bomb = bomb(10_000, 10_000);
    assert!(bomb.len() < 1 << 20, "the bomb has {} bytes", bomb.len());
    write("bomb.png", &bomb);
    save(folder.path(), "long.png", GrayImage::from_pixel(16_385, 10, Luma([255])));
    write("truncated.png", &whole[..whole.len() / 2]);
    write("header.png", &whole[..30]);
    write("truncated.jpg", &jpeg[..jpeg.len() / 3]);
    write("text.png", b"not a picture at all");
    write("script.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    write("empty.png", b"");
    let mut wrong = whole.clone();
    wrong[40] ^= 0xff;
    write("wrong.png", &wrong);
    for (name, said, hint) in [
        ("white.png", "no QR code was found in it", "scan it straight"),
        ("dot.png", "no QR code was found in it", "scan it straight"),
        ("bomb.png", "it has 10000 x 10000 pixels, and 50 million are", "300 dots an inch"),
        ("header.png", "it is damaged", "no seed could be read from header.png"),
        ("wrong.png", "it is damaged", "no seed could be read from wrong.png"),
        ("truncated.png", "it is damaged", "no seed"),
        ("long.png", "it has 16385 x 10 pixels", "300 dots an inch"),
        ("empty.png", "it is neither a PNG nor a JPEG", "save it as PNG or JPEG"),
        ("text.png", "it is neither a PNG nor a JPEG", "save it as PNG or JPEG"),
        ("script.svg", "it is neither a PNG nor a JPEG", "save it as PNG or JPEG"),
    ] {
        let ran = check(folder.path(), name, &[]).exits(1);
        ran.says(&["no seed could be read from ", said, hint]);
    }
    for name in ["noise.png", "illegible.png", "truncated.jpg"] {
        let ran = check(folder.path(), name, &[]).exits(1);
        assert!(ran.stderr.contains("no seed could be read from "), "{name}: {ran:?}");
    }
    write("large.png", &vec![0; (16 << 20) + 1]);
    check(folder.path(), "large.png", &[]).exits(1).says(&["large.png is larger than 16 MiB"]);
    check(folder.path(), ".", &[]).exits(1).says(&["couldn't read ."]);
    check(folder.path(), "none.png", &[]).exits(1).says(&["couldn't read none.png"]);
    let both = ["--seed-file", "plain.png"];
    check(folder.path(), "plain.png", &both).exits(2).says(&["cannot be used with"]);
}

/// Flipped bits and cut tails of pictures that hold a code: each ends in words.
#[test]
fn a_damaged_picture_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = code(&uri("prod"));
    save(folder.path(), "plain.png", plain.clone());
    save(folder.path(), "plain.jpg", plain);
    let helper = Helper::new(BINARY.into(), Arc::default());
    for name in ["plain.png", "plain.jpg"] {
        let whole = std::fs::read(folder.path().join(name)).unwrap();
        let tries = if is_long() { 2000 } else { 40 };
        for number in 0..tries {
            let mut damaged = whole.clone();
            let place = number * whole.len() / tries;
            damaged[place] ^= 1 << (number % 8);
            if number % 5 == 0 {
                damaged.truncate(place.max(1));
            }
            match helper.read(&damaged) {
                Ok((confinement, _)) => assert!(confinement.seccomp),
                Err(other) => panic!("{name}, byte {place}: {other:?}"),
            }
        }
    }
}

#[test]
fn the_child_is_confined_before_it_sees_the_picture() {
    let picture = {
        let mut png = std::io::Cursor::new(Vec::new());
        sheet(&[code(&uri("prod"))]).write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    };
    let helper = Helper::new(BINARY.into(), Arc::default());
    let (confinement, found) = helper.read(&picture).unwrap();
    let texts = found.unwrap();
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].as_str(), uri("prod"));
    let Confinement { landlock, seccomp } = confinement;
    assert!(landlock.is_some(), "this kernel has no Landlock: the test needs one that has");
    assert!(seccomp, "this kernel has no seccomp: the test needs one that has");
}

/// Does something on a kernel that doesn't know these system calls, as it seems from there.
fn without<T: Send + 'static>(
    calls: &[libc::c_long],
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let unknown = SeccompFilter::new(
        calls.iter().map(|call| (*call, Vec::new())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let unknown: BpfProgram = unknown.unwrap().try_into().unwrap();
    // It is for this thread and the processes that it starts.
    let apart = thread::spawn(move || {
        seccompiler::apply_filter(&unknown).unwrap();
        work()
    });
    apart.join().unwrap()
}

#[test]
fn a_kernel_that_confines_less_is_told_of_and_one_that_does_not_at_all_reads_nothing() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    save(folder.path(), "plain.png", sheet(&[code(&uri("prod"))]));
    save(folder.path(), "white.png", GrayImage::from_pixel(99, 99, Luma([255])));
    let on = |calls: &[libc::c_long], file: &'static str| {
        let folder = Arc::clone(&folder);
        without(calls, move || check(folder.path(), file, &[]))
    };
    let (landlock, seccomp) = (libc::SYS_landlock_create_ruleset, libc::SYS_seccomp);
    let all = on(&[libc::SYS_acct], "plain.png").exits(0);
    assert!(!all.stderr.contains("NOTE"), "{all:?}");
    for (missing, said) in [
        (landlock, "NOTE: this kernel has no Landlock: "),
        (seccomp, "NOTE: this kernel took no seccomp filter: "),
    ] {
        for (file, exit) in [("plain.png", 0), ("white.png", 1)] {
            let ran = on(&[missing], file).exits(exit);
            assert!(ran.stderr.starts_with(said), "{file}: {ran:?}");
            assert_eq!(ran.stderr.matches("NOTE").count(), 1, "{file}: {ran:?}");
        }
    }
    let none = on(&[landlock, seccomp], "plain.png").exits(1);
    let none = none.says(&["neither Landlock nor seccomp", "read the code elsewhere"]);
    assert!(!none.stderr.contains("NOTE"), "{none:?}");
}

#[test]
fn a_picture_may_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    tool("mkfifo", &[pipe.to_str().unwrap()], b"");
    let png = tool("qrencode", &["-o", "-", "-s", "6"], uri("prod").as_bytes());
    let writer = thread::spawn(move || std::fs::write(pipe, png));
    check(folder.path(), "pipe", &[]).exits(0).answers(&["The URI names Amazon, prod."]);
    writer.join().unwrap().unwrap();
}

/// What a child says to one who sends it this, and its exit code. What it prints is none of it.
fn child_told(sent: &[u8]) -> (Vec<u8>, i32) {
    let (mut socket, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(BINARY)
        .arg("picture-helper")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have had enough before the end.
    let _ = socket.write_all(sent);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut said = Vec::new();
    // Nor does one that leaves bytes unread hang up in good order.
    let _ = socket.read_to_end(&mut said);
    let output = child.wait_with_output().unwrap();
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    (said, output.status.code().unwrap())
}

#[test]
fn a_child_answers_over_its_socket_and_prints_nothing() {
    // Landlock's version, seccomp, and the number of the reason: no picture.
    for none in [&b""[..], b"garbage", &[0xff; 70_000]] {
        let (said, exit) = child_told(none);
        assert!(matches!(said[..], [0, 0, 0, 1..=255, 1, 1]), "{said:?}");
        assert_eq!(exit, 0);
    }
    let (said, exit) = child_told(&vec![0x89; (16 << 20) + 1]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(exit, 1, "more than may be sent");
    // Not on a socket, as when a person starts it.
    let file = tempfile::tempfile().unwrap();
    for stdin in [Stdio::null(), Stdio::from(file)] {
        let output = Command::new(BINARY).arg("picture-helper").stdin(stdin).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
}
