//! The kernel's side of the plug: a HID device made through `/dev/uhid`.
//!
//! Events are written and read as the packed structs of `linux/uhid.h`, in native byte order.

use crate::ctaphid::{PACKET_SIZE, Packet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

const UHID_OUTPUT: u32 = 6;
const UHID_GET_REPORT: u32 = 9;
const UHID_GET_REPORT_REPLY: u32 = 10;
const UHID_CREATE2: u32 = 11;
const UHID_INPUT2: u32 = 12;
const UHID_SET_REPORT: u32 = 13;
const UHID_SET_REPORT_REPLY: u32 = 14;

/// `sizeof(struct uhid_event)`: the type, then the largest of its members, `uhid_create2_req`.
const EVENT_SIZE: usize = 4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + HID_MAX_DESCRIPTOR_SIZE;
const HID_MAX_DESCRIPTOR_SIZE: usize = 4096;
const BUS_USB: u16 = 0x03;
const EIO: u16 = 5;

/// CTAP 2.1, section 11.2.8.2: usage page F1D0, one 64-byte report each way, no report ids.
const REPORT_DESCRIPTOR: [u8; 34] = [
    0x06, 0xd0, 0xf1, // usage page (FIDO Alliance)
    0x09, 0x01, // usage (CTAPHID)
    0xa1, 0x01, // collection (application)
    0x09, 0x20, // usage (data in)
    0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x81, 0x02, // 64 bytes, input
    0x09, 0x21, // usage (data out)
    0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, // 64 bytes, output
    0xc0, // end of the collection
];

/// What the device says it is.
pub struct Identity<'a> {
    /// The product name, at most 127 bytes.
    pub product: &'a str,
    /// The serial number, at most 63 bytes.
    pub serial: &'a str,
    /// The USB vendor id.
    pub vendor: u32,
    /// The USB product id.
    pub product_id: u32,
}

/// The device. It is gone when this is dropped or the process dies.
pub struct Uhid(File);

impl Uhid {
    /// Makes the device; the kernel's hidraw node follows a moment later.
    pub fn create(identity: &Identity) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/uhid")
            .map_err(|e| io::Error::new(e.kind(), format!("can't open /dev/uhid: {e}")))?;
        let mut event = Vec::with_capacity(EVENT_SIZE);
        event.extend(UHID_CREATE2.to_ne_bytes());
        push_c_string(&mut event, identity.product, 128)?;
        push_c_string(&mut event, "virtual", 64)?;
        push_c_string(&mut event, identity.serial, 64)?;
        event.extend((REPORT_DESCRIPTOR.len() as u16).to_ne_bytes());
        event.extend(BUS_USB.to_ne_bytes());
        let (version, country) = (1_u32, 0_u32);
        for number in [identity.vendor, identity.product_id, version, country] {
            event.extend(number.to_ne_bytes());
        }
        event.extend(REPORT_DESCRIPTOR);
        (&file).write_all(&event)?;
        Ok(Self(file))
    }

    /// Sends one input report to the host.
    pub fn send(&self, packet: &Packet) -> io::Result<()> {
        let mut event = Vec::with_capacity(4 + 2 + PACKET_SIZE);
        event.extend(UHID_INPUT2.to_ne_bytes());
        event.extend((PACKET_SIZE as u16).to_ne_bytes());
        event.extend(packet);
        (&self.0).write_all(&event)
    }

    /// Waits for the next output report of the host.
    pub fn receive(&self) -> io::Result<Packet> {
        let mut event = [0; EVENT_SIZE];
        loop {
            let length = (&self.0).read(&mut event)?;
            let (Some(kind), Some(id)) = (number_at(&event, 0), number_at(&event, 4)) else {
                continue;
            };
            match kind {
                UHID_OUTPUT if length == EVENT_SIZE => {
                    if let Some(packet) = output_report(&event[4..]) {
                        return Ok(packet);
                    }
                }
                // Left without a reply, the host's ioctl would hang for five seconds.
                UHID_GET_REPORT => self.refuse(UHID_GET_REPORT_REPLY, id)?,
                UHID_SET_REPORT => self.refuse(UHID_SET_REPORT_REPLY, id)?,
                _ => {}
            }
        }
    }

    fn refuse(&self, reply: u32, id: u32) -> io::Result<()> {
        let mut event = Vec::new();
        event.extend(reply.to_ne_bytes());
        event.extend(id.to_ne_bytes());
        event.extend(EIO.to_ne_bytes());
        event.extend(0_u16.to_ne_bytes());
        (&self.0).write_all(&event)
    }
}

/// Reads `struct uhid_output_req`: data, size, report type.
fn output_report(request: &[u8]) -> Option<Packet> {
    let (data, rest) = request.split_at_checked(HID_MAX_DESCRIPTOR_SIZE)?;
    let size = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
    let data = data.get(..size)?;
    // hidraw passes the leading report id 0 on; the USB driver would have taken it off.
    let report = match (size.checked_sub(PACKET_SIZE), data) {
        (Some(1), [0, report @ ..]) => report,
        _ => data,
    };
    report.try_into().ok()
}

fn number_at(event: &[u8], offset: usize) -> Option<u32> {
    let bytes = event.get(offset..offset + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn push_c_string(event: &mut Vec<u8>, text: &str, size: usize) -> io::Result<()> {
    if text.len() >= size || text.contains('\0') {
        let complaint = format!("{text:?} does not fit into {size} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, complaint));
    }
    event.extend(text.as_bytes());
    event.resize(event.len() + size - text.len(), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_report_id_is_taken_off() {
        let mut request = vec![0; HID_MAX_DESCRIPTOR_SIZE + 3];
        request[1..=PACKET_SIZE].fill(7);
        request[HID_MAX_DESCRIPTOR_SIZE..][..2].copy_from_slice(&65_u16.to_ne_bytes());
        assert_eq!(output_report(&request), Some([7; PACKET_SIZE]));
        request[HID_MAX_DESCRIPTOR_SIZE..][..2].copy_from_slice(&63_u16.to_ne_bytes());
        assert_eq!(output_report(&request), None);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        assert!(push_c_string(&mut Vec::new(), &"x".repeat(64), 64).is_err());
        let mut event = Vec::new();
        assert!(push_c_string(&mut event, &"x".repeat(63), 64).is_ok());
        assert_eq!(event.len(), 64);
    }
}
