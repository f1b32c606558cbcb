//! Looks for QR codes in the bytes of a picture. The only one that names image and rqrr.

use std::io::Cursor;

use image::{GrayImage, ImageError, ImageFormat, ImageReader, Limits};
use rqrr::PreparedImage;
use zeroize::Zeroizing;

use super::{MAX_CODES, MAX_PIXELS, MAX_TEXT, Texts, Unread};

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
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
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
        let read = grid.decode_to(&mut *bytes).is_ok() && bytes.len() <= MAX_TEXT;
        let text = std::str::from_utf8(&bytes).ok().filter(|_| read);
        if let Some(text) = text
            && !texts.iter().any(|known| known.as_str() == text)
            && texts.len() < MAX_CODES
        {
            texts.push(Zeroizing::new(text.to_owned()));
        }
    }
    texts
}
