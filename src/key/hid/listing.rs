//! What is plugged in, and whether it may be opened. Asks no device anything.

use std::fs::OpenOptions;
use std::io;

use hidapi::HidApi;

use super::{helper, short};
use crate::key::helper::limits::MAX_DEVICES;
use crate::key::helper::words::failed;
use crate::key::{Device, DeviceId, KeyError};

/// The usage page of FIDO devices (CTAP 2.1, 11.2.8.1).
const FIDO_USAGE_PAGE: u16 = 0xf1d0;

/// What is plugged in, sorted by path.
pub(in crate::key) fn devices() -> Result<Vec<Device>, KeyError> {
    let api = HidApi::new().map_err(|_| helper(failed::NO_LIST))?;
    let mut devices: Vec<Device> = api
        .device_list()
        .filter(|device| device.usage_page() == FIDO_USAGE_PAGE)
        .filter_map(|device| {
            Some(Device {
                id: DeviceId(device.path().to_str().ok()?.to_owned()),
                product: short(device.product_string().unwrap_or_default()),
                manufacturer: short(device.manufacturer_string().unwrap_or_default()),
                serial: device.serial_number().filter(|serial| !serial.is_empty()).map(short),
                vendor_id: device.vendor_id(),
                product_id: device.product_id(),
            })
        })
        .collect();
    // hidapi names a device once for each of its usages.
    devices.sort_by(|a, b| a.id.cmp(&b.id));
    devices.dedup_by(|a, b| a.id == b.id);
    devices.truncate(MAX_DEVICES);
    Ok(devices)
}

/// Tells why a device can't be opened, which the crate doesn't.
pub(super) fn may_open(id: &DeviceId) -> Result<(), KeyError> {
    match OpenOptions::new().read(true).write(true).open(&id.0) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(KeyError::NoPermission(id.clone()))
        }
        Err(_) => Err(KeyError::Gone(id.clone())),
    }
}
