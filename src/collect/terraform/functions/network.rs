//! Functions of address ranges.

use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    // OpenTofu only.
    ("cidrcontains", |call| {
        let (all, text) = (range(call, 0)?, call.text(1)?);
        match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
            (Ok(address), _) => Ok(Value::Bool(all.contains(&address))),
            (_, Ok(part)) => Ok(Value::Bool(all.contains(&part.trunc()))),
            _ => call.wrong(format!("{text:?} is no address and no range")),
        }
    }),
    ("cidrhost", host),
    ("cidrnetmask", |call| match range(call, 0)? {
        IpNet::V4(range) => Ok(Value::text(range.netmask().to_string())),
        IpNet::V6(_) => call.wrong("a range of IPv4 is wanted"),
    }),
    ("cidrsubnet", |call| {
        let (bits, number) = (call.whole(1)?, call.whole(2)?);
        Ok(Value::text(subnet(call, range(call, 0)?, bits, number)?.to_string()))
    }),
    ("cidrsubnets", subnets),
];

fn range(call: &Arguments<'_>, index: usize) -> Result<IpNet, Rc<UnknownValue>> {
    let text = call.text(index)?;
    match text.parse::<IpNet>() {
        Ok(range) => Ok(range.trunc()),
        Err(_) => call.wrong(format!("{text:?} is not a range")),
    }
}

/// The address of a range as a number, and the number of its bits.
fn bits_of(range: &IpNet) -> (u128, u32) {
    match range {
        IpNet::V4(range) => (u32::from(range.network()).into(), 32),
        IpNet::V6(range) => (range.network().into(), 128),
    }
}

fn address(bits: u128, width: u32) -> Option<IpAddr> {
    if width == 32 {
        u32::try_from(bits).ok().map(|bits| IpAddr::V4(bits.into()))
    } else {
        Some(IpAddr::V6(bits.into()))
    }
}

fn host(call: &Arguments<'_>) -> Answer {
    let (range, number) = (range(call, 0)?, call.whole(1)?);
    let (start, width) = bits_of(&range);
    let free = width - u32::from(range.prefix_len());
    let size = 1_u128.checked_shl(free).unwrap_or(u128::MAX);
    let offset = if number < 0 {
        size.checked_sub(u128::from(number.unsigned_abs()))
    } else {
        u128::try_from(number).ok().filter(|number| *number < size)
    };
    match offset.and_then(|offset| address(start + offset, width)) {
        Some(address) => Ok(Value::text(address.to_string())),
        None => call.wrong("the range has no such host"),
    }
}

fn subnet(call: &Arguments<'_>, range: IpNet, bits: i64, number: i64) -> Result<IpNet, Rc<UnknownValue>> {
    let (start, width) = bits_of(&range);
    let bits = u32::try_from(bits).ok();
    let length =
        bits.and_then(|bits| u32::from(range.prefix_len()).checked_add(bits)).filter(|length| *length <= width);
    let (Some(bits), Some(length), Ok(number)) = (bits, length, u128::try_from(number)) else {
        return call.wrong("the range has no such part");
    };
    if bits < 128 && number >> bits != 0 {
        return call.wrong("the range has no such part");
    }
    let offset = number.checked_shl(width - length).unwrap_or(0);
    let prefix = u8::try_from(length).unwrap_or(u8::MAX);
    let part = address(start + offset, width).and_then(|address| IpNet::new(address, prefix).ok());
    part.map_or_else(|| call.wrong("the range has no such part"), Ok)
}

/// Consecutive subnets. Each is aligned to its own size.
fn subnets(call: &Arguments<'_>) -> Answer {
    let all = range(call, 0)?;
    let (start, width) = bits_of(&all);
    let mut next = start;
    let mut parts = Vec::new();
    for index in 1..call.len() {
        let length = u32::try_from(call.whole(index)?).ok();
        let length = length.and_then(|bits| bits.checked_add(all.prefix_len().into()));
        let Some(length) = length.filter(|length| *length <= width) else {
            return call.wrong("the range has no such part");
        };
        let size = 1_u128.checked_shl(width - length).unwrap_or(u128::MAX);
        let begin = next.div_ceil(size).saturating_mul(size);
        let prefix = u8::try_from(length).unwrap_or(u8::MAX);
        let part = address(begin, width).and_then(|address| IpNet::new(address, prefix).ok());
        match part.filter(|part| all.contains(part)) {
            Some(part) => parts.push(part.to_string()),
            None => return call.wrong("there is no room for all of them"),
        }
        next = begin.saturating_add(size);
    }
    call.texts(parts)
}
