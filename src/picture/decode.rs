//! Looks for QR codes in the bytes of a picture. It and `sheet` alone name image and rqrr.

use std::io::Cursor;

use image::{GrayAlphaImage, GrayImage, ImageError, ImageFormat, ImageReader, Limits, Luma, LumaA};
use rqrr::PreparedImage;
use zeroize::Zeroizing;

use super::sheet::{Sheet, within_budget};
use super::{MAX_CODES, MAX_PIXELS, MAX_SIDE, MAX_TEXT, Texts, Unread};
use crate::hardening::keep_from_swap;

/// The most memory that unpacking a picture may take: eight bytes for each pixel, and some.
const MAX_MEMORY: u64 = 8 * MAX_PIXELS + (16 << 20);

/// The most pixels that are searched at first: a sheet of paper at 200 dots an inch.
const MODERATE: u64 = 4_000_000;
/// The most pixels that are searched at all: a sheet at 400 dots an inch.
const FINE: u64 = 16_000_000;
/// The side of the smallest code, in modules.
const SMALLEST: u32 = 21;

/// The texts of the codes in a picture, which may be dark or light, on a ground that may be
/// transparent.
pub(super) fn codes(picture: &[u8]) -> Result<Texts, Unread> {
    let picture = unpacked(picture)?;
    let mut seen = false;
    for ground in grounds(&picture) {
        let grey = on_ground(&picture, *ground);
        for step in steps(grey.width(), grey.height()) {
            let mut picture = shrunk(&grey, step);
            let mut found = look(picture.clone(), &mut seen);
            if found.is_empty() {
                image::imageops::invert(&mut picture);
                found = look(picture, &mut seen);
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Err(if seen { Unread::Illegible } else { Unread::NoCode })
}

/// Unpacks a picture, after its size was looked at.
fn unpacked(picture: &[u8]) -> Result<GrayAlphaImage, Unread> {
    let reader = || {
        let reader = ImageReader::new(Cursor::new(picture)).with_guessed_format().ok();
        let reader = reader
            .filter(|reader| matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)));
        reader.ok_or(Unread::NoPicture)
    };
    let (width, height) = reader()?.into_dimensions().map_err(|_| Unread::Damaged)?;
    let too_large = Unread::TooLarge { width, height };
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(too_large);
    }
    let mut reader = reader()?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|error| match error {
        ImageError::Limits(_) => too_large,
        _ => Unread::Damaged,
    })?;
    Ok(decoded.into_luma_alpha8())
}

/// What a picture is laid on, one after the other. Where nothing shows through, one will do.
fn grounds(picture: &GrayAlphaImage) -> &'static [u8] {
    let opaque = picture.pixels().all(|LumaA([_, alpha])| *alpha == u8::MAX);
    if opaque { &[255] } else { &[255, 0] }
}

/// A picture as it looks on a ground.
fn on_ground(picture: &GrayAlphaImage, ground: u8) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let LumaA([light, alpha]) = *picture.get_pixel(x, y);
        let [light, ground, alpha] = [light, ground, alpha].map(u16::from);
        let mixed = (light * alpha + ground * (255 - alpha)) / 255;
        Luma([u8::try_from(mixed).unwrap_or(u8::MAX)])
    })
}

/// How many times smaller a picture of this size is searched, one after the other: moderately,
/// then coarser, in which specks and folds are lost, then as finely as it may be. Searching is
/// what takes time.
fn steps(width: u32, height: u32) -> Vec<u32> {
    let pixels = |step: u32| u64::from(width / step) * u64::from(height / step);
    let within = |most: u64| (1..MAX_SIDE).find(|step| pixels(*step) <= most).unwrap_or(MAX_SIDE);
    let (moderate, fine) = (within(MODERATE), within(FINE));
    let mut steps = vec![moderate, 2 * moderate];
    if fine < moderate {
        steps.push(fine);
    }
    steps.retain(|step| width.min(height) / step >= SMALLEST);
    steps
}

/// So many times smaller: each pixel is the mean of a square.
fn shrunk(picture: &GrayImage, step: u32) -> GrayImage {
    if step == 1 {
        return picture.clone();
    }
    GrayImage::from_fn(picture.width() / step, picture.height() / step, |x, y| {
        let square = (0..step * step).map(|n| (step * x + n % step, step * y + n / step));
        let sum: u32 = square.map(|(x, y)| u32::from(picture.get_pixel(x, y).0[0])).sum();
        Luma([u8::try_from(sum / (step * step)).unwrap_or(u8::MAX)])
    })
}

/// The texts of the dark codes in a picture, as far as they are found within its budget.
fn look(picture: GrayImage, seen: &mut bool) -> Texts {
    within_budget(picture, |sheet| texts(sheet, seen)).unwrap_or_default()
}

fn texts(sheet: Sheet<'_>, seen: &mut bool) -> Texts {
    let mut prepared = PreparedImage::prepare(sheet);
    let mut texts = Texts::new();
    for grid in prepared.detect_grids() {
        *seen = true;
        // With all room at once, no copy is left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_TEXT));
        keep_from_swap(bytes.spare_capacity_mut());
        let read = grid.decode_to(&mut *bytes).is_ok() && bytes.len() <= MAX_TEXT;
        let text = std::str::from_utf8(&bytes).ok().filter(|_| read);
        if let Some(text) = text
            && !texts.iter().any(|known| known.as_str() == text)
            && texts.len() < MAX_CODES
        {
            let text = Zeroizing::new(text.to_owned());
            keep_from_swap(text.as_str());
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::*;

    /// A code of the smallest kind, which says KEYMUSTER; `#` is dark.
    const KEYMUSTER: [&str; 21] = [
        "#######..#.##.#######",
        "#.....#..###..#.....#",
        "#.###.#.##.##.#.###.#",
        "#.###.#..#.#..#.###.#",
        "#.###.#...#.#.#.###.#",
        "#.....#.....#.#.....#",
        "#######.#.#.#.#######",
        "........##.##........",
        "###.########.##...#..",
        "..##.#.#.#....##..###",
        ".##.#.##.#..#...#.#.#",
        ".##....###....##.#...",
        "##..#.##.#..#.#.#....",
        "........#.##.#.###..#",
        "#######.#.##.######..",
        "#.....#.##.###..#..#.",
        "#.###.#.##.#.##..####",
        "#.###.#..##...#.####.",
        "#.###.#.#...#...#.#.#",
        "#.....#.###...#..####",
        "#######.##..#.#.....#",
    ];

    /// The code on white, with so many pixels a module.
    fn code(scale: u32) -> GrayImage {
        let side = (21 + 8) * scale;
        GrayImage::from_fn(side, side, |x, y| {
            let place = |at: u32| (at / scale).checked_sub(4).map(|at| at as usize);
            let row = place(y).and_then(|y| KEYMUSTER.get(y));
            let module = row.zip(place(x)).and_then(|(row, x)| row.as_bytes().get(x));
            Luma([if module == Some(&b'#') { 0 } else { 255 }])
        })
    }

    fn packed(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn found(picture: &[u8]) -> Result<Vec<String>, Unread> {
        codes(picture).map(|texts| texts.iter().map(|text| text.to_string()).collect())
    }

    #[test]
    fn a_code_is_read_as_it_is_and_inverted() {
        let says = Ok(vec!["KEYMUSTER".to_owned()]);
        let mut inverted = code(6);
        image::imageops::invert(&mut inverted);
        for picture in [code(3), code(6), inverted] {
            for format in [ImageFormat::Png, ImageFormat::Jpeg] {
                assert_eq!(found(&packed(picture.clone(), format)), says, "{format:?}");
            }
        }
        let deep = DynamicImage::from(code(6)).into_rgba16();
        assert_eq!(found(&packed(deep, ImageFormat::Png)), says);
    }

    #[test]
    fn a_code_on_a_transparent_ground_is_read() {
        let says = Ok(vec!["KEYMUSTER".to_owned()]);
        let code = code(6);
        let clear = |ink: u8, alpha: fn(u8) -> u8| {
            GrayAlphaImage::from_fn(code.width(), code.height(), |x, y| {
                LumaA([ink, alpha(code.get_pixel(x, y).0[0])])
            })
        };
        for ink in [0, 255] {
            let clear = clear(ink, |light| 255 - light);
            let colour = DynamicImage::from(clear.clone()).into_rgba16();
            assert_eq!(found(&packed(clear, ImageFormat::Png)), says, "ink {ink}");
            assert_eq!(found(&packed(colour, ImageFormat::Png)), says, "ink {ink}");
        }
        // Ink that is hardly there, on a ground that is there hardly less.
        let faint = clear(0, |light| if light == 0 { 90 } else { 10 });
        assert_eq!(found(&packed(faint, ImageFormat::Png)), says);
    }

    #[test]
    fn what_is_searched_is_bounded_whatever_the_size() {
        assert_eq!(steps(600, 400), [1, 2], "as it is, and coarser");
        assert_eq!(steps(4960, 7016), [3, 6, 2], "A4 at 600 dots an inch");
        assert_eq!(steps(2480, 3508), [2, 4, 1], "A4 at 300 dots an inch");
        assert_eq!(steps(16_384, 20), [0; 0], "no room for a code");
        let mut most = 0;
        for width in (21..MAX_SIDE).step_by(7).chain([7071, 4000, MAX_SIDE]) {
            let height = MAX_SIDE.min(u32::try_from(MAX_PIXELS).unwrap() / width);
            let searched = steps(width, height);
            assert!(searched.len() <= 3);
            let pixels = |step: &u32| u64::from(width / step) * u64::from(height / step);
            most = most.max(searched.iter().map(pixels).sum::<u64>());
        }
        assert!(most <= MODERATE + MODERATE / 4 + FINE, "{most} pixels");
        let large = GrayImage::from_fn(90, 70, |x, _| Luma([if x < 9 { 30 } else { 60 }]));
        let small = shrunk(&large, 6);
        assert_eq!(small.dimensions(), (15, 11));
        assert_eq!([0, 1, 2].map(|x| small.get_pixel(x, 10).0[0]), [30, 45, 60]);
    }

    #[test]
    fn what_is_no_picture_or_has_no_code_is_told_apart() {
        let white = GrayImage::from_pixel(300, 200, Luma([255]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            assert_eq!(found(&packed(white.clone(), format)), Err(Unread::NoCode));
        }
        for none in [&b""[..], b"a text", b"GIF89a\x01\x00\x01\x00", b"\x89PNG"] {
            assert_eq!(found(none), Err(Unread::NoPicture), "{none:?}");
        }
        let whole = packed(code(6), ImageFormat::Png);
        for length in [8, 20, 33, whole.len() / 2] {
            assert_eq!(found(&whole[..length]), Err(Unread::Damaged), "{length}");
        }
    }

    /// The beginning of a PNG that says it is so large, and has nothing in it.
    fn says_it_is(width: u32, height: u32) -> Vec<u8> {
        let mut png = packed(code(1), ImageFormat::Png);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
        png
    }

    /// The checksum of a chunk of PNG.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }
            })
        })
    }

    #[test]
    fn what_is_too_large_is_refused_by_what_it_says() {
        for (width, height) in
            [(10_000, 10_000), (7072, 7072), (16_385, 1), (1, 16_385), (100_000, 100_000)]
        {
            let refused = Err(Unread::TooLarge { width, height });
            assert_eq!(found(&says_it_is(width, height)), refused);
        }
        // So many that their bytes can't be counted.
        assert_eq!(found(&says_it_is(u32::MAX >> 1, u32::MAX >> 1)), Err(Unread::Damaged));
        // Not for its size, but for what is missing of it.
        assert_eq!(found(&says_it_is(16_384, 20)), Err(Unread::Damaged));
    }

    #[test]
    fn a_code_that_is_there_twice_is_told_once() {
        let one = code(3);
        let (side, across) = (one.width(), 5_u32);
        let mut sheet = GrayImage::from_pixel(across * side, side, Luma([255]));
        for number in 0..across {
            image::imageops::replace(&mut sheet, &one, (number * side).into(), 0);
        }
        let says = Ok(vec!["KEYMUSTER".to_owned()]);
        assert_eq!(found(&packed(sheet, ImageFormat::Png)), says);
    }
}
