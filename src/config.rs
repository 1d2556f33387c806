//! stub
use std::collections::BTreeMap; use std::path::{Path,PathBuf};
use crate::diagnostic::Diagnostic; use crate::rule::{Library,Policy}; use crate::rule::params::ParamValue; use crate::model::Severity;
#[derive(Debug,Clone,Default)]
pub struct Config { pub rules: Vec<PathBuf>, pub policy: Option<Policy> , pub waivers: Vec<()> }
impl Config {
 pub fn find(_:Option<&Path>)->Result<Self,Vec<Diagnostic>>{Ok(Self::default())}
 pub fn check(&self,_:&Library)->Result<(),Vec<Diagnostic>>{Ok(())}
 pub fn params(&self,_:&Library)->Result<BTreeMap<String,BTreeMap<String,ParamValue>>,Vec<Diagnostic>>{Ok(BTreeMap::new())}
 pub fn severity(&self,_:&str)->Option<Severity>{None}
 pub fn disables(&self,_:&str)->bool{false}
}
