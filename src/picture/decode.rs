//! Looks for QR codes in the bytes of a picture. The only one that names image and rqrr.

use std::io::Cursor;

use image::{GrayImage, ImageError, ImageFormat, ImageReader, Limits};
use rqrr::PreparedImage;
use zeroize::Zeroizing;

use super::{MAX_CODES, MAX_PIXELS, MAX_SIDE, MAX_TEXT, Texts, Unread};
use crate::hardening::keep_from_swap;

/// The most memory that unpacking a picture may take: eight bytes for each pixel, and some.
const MAX_MEMORY: u64 = 8 * MAX_PIXELS + (16 << 20);

/// The texts of the codes in a picture. It is tried as it is and inverted; and where that finds
/// nothing, coarser, in which specks and folds are lost.
pub(super) fn codes(picture: &[u8]) -> Result<Texts, Unread> {
    let picture = greyscale(picture)?;
    let mut seen = false;
    for picture in [Some(&picture), coarser(&picture).as_ref()].into_iter().flatten() {
        for inverted in [false, true] {
            let found = look(picture, inverted, &mut seen);
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Err(if seen { Unread::Illegible } else { Unread::NoCode })
}

/// Unpacks a picture, after its size was looked at.
fn greyscale(picture: &[u8]) -> Result<GrayImage, Unread> {
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
    Ok(decoded.into_luma8())
}

/// Half as wide and half as high: each pixel is the mean of four.
fn coarser(picture: &GrayImage) -> Option<GrayImage> {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    if width < 21 || height < 21 {
        return None;
    }
    Some(GrayImage::from_fn(width, height, |x, y| {
        let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
        let sum: u16 = four
            .iter()
            .map(|(dx, dy)| u16::from(picture.get_pixel(2 * x + dx, 2 * y + dy).0[0]))
            .sum();
        image::Luma([u8::try_from(sum / 4).unwrap_or(u8::MAX)])
    }))
}

fn look(picture: &GrayImage, inverted: bool, seen: &mut bool) -> Texts {
    let [width, height] = [picture.width(), picture.height()].map(|size| size as usize);
    let bytes = picture.as_raw();
    let mut prepared = PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let light = bytes.get(y * width + x).copied().unwrap_or(u8::MAX);
        if inverted { !light } else { light }
    });
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
            image::Luma([if module == Some(&b'#') { 0 } else { 255 }])
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
    fn what_is_no_picture_or_has_no_code_is_told_apart() {
        let white = GrayImage::from_pixel(300, 200, image::Luma([255]));
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
        let mut sheet = GrayImage::from_pixel(across * side, side, image::Luma([255]));
        for number in 0..across {
            image::imageops::replace(&mut sheet, &one, (number * side).into(), 0);
        }
        let says = Ok(vec!["KEYMUSTER".to_owned()]);
        assert_eq!(found(&packed(sheet, ImageFormat::Png)), says);
    }
}
