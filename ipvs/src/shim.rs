#![allow(missing_docs)]
use std::collections::BTreeMap;
use std::fmt;
use crate::*;
#[derive(Clone, Debug)]
pub enum Request { AddService(Service), SetService(Service), DeleteService(Service), Flush, Add(Service, Destination), Set(Service, Destination), Delete(Service, Destination) }
#[derive(Clone, Debug, Default)]
pub struct Batch { pub requests: Vec<(Request, u64)> }
impl Batch {
    pub fn new() -> Self { Self::default() }
    pub fn len(&self) -> usize { self.requests.len() }
    pub fn is_empty(&self) -> bool { self.requests.is_empty() }
    pub fn clear(&mut self) { self.requests.clear() }
    pub fn add_service(&mut self, s: &Service, tag: u64) { self.requests.push((Request::AddService(s.clone()), tag)) }
    pub fn set_service(&mut self, s: &Service, tag: u64) { self.requests.push((Request::SetService(s.clone()), tag)) }
    pub fn delete_service(&mut self, s: &Service, tag: u64) { self.requests.push((Request::DeleteService(s.clone()), tag)) }
    pub fn flush(&mut self, tag: u64) { self.requests.push((Request::Flush, tag)) }
    pub fn add_destination(&mut self, s: &Service, d: &Destination, tag: u64) { self.requests.push((Request::Add(s.clone(), *d), tag)) }
    pub fn set_destination(&mut self, s: &Service, d: &Destination, tag: u64) { self.requests.push((Request::Set(s.clone(), *d), tag)) }
    pub fn delete_destination(&mut self, s: &Service, d: &Destination, tag: u64) { self.requests.push((Request::Delete(s.clone(), *d), tag)) }
}
#[derive(Clone, Debug)]
pub struct Failure { pub tag: u64, pub text: String, pub tolerated: bool }
impl Failure { pub fn is_tolerated(&self) -> bool { self.tolerated } }
impl fmt::Display for Failure { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.text) } }
pub trait Kernel { fn apply(&mut self, batch: &Batch) -> Vec<Failure>; }
#[derive(Debug, Default)]
pub struct Absent;
impl Kernel for Absent { fn apply(&mut self, _: &Batch) -> Vec<Failure> { Vec::new() } }
pub struct Channel;
impl Channel { pub fn open_in(_: Option<&str>) -> std::io::Result<Channel> { Err(std::io::ErrorKind::Unsupported.into()) } }
impl Kernel for Channel { fn apply(&mut self, _: &Batch) -> Vec<Failure> { Vec::new() } }
#[derive(Debug, Default)]
pub struct Table { pub services: BTreeMap<ServiceKey, BTreeMap<(std::net::IpAddr, u16), Destination>> }
