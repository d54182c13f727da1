//! What objects are to those who ask: interfaces, properties, and their description.

use std::fmt::Write;

use crate::wire::Writer;

/// A value that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `u`.
    U32(u32),
    /// `s`, up to a NUL.
    Text(String),
    /// Several in parentheses; at least one.
    Struct(Vec<Value>),
}

impl Value {
    pub(crate) fn signature(&self) -> String {
        match self {
            Value::U32(_) => "u".to_owned(),
            Value::Text(_) => "s".to_owned(),
            Value::Struct(fields) => {
                let fields: String = fields.iter().map(Value::signature).collect();
                format!("({fields})")
            }
        }
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        match self {
            Value::U32(value) => to.u32(*value),
            Value::Text(text) => to.string(text),
            Value::Struct(fields) => {
                to.align(8);
                fields.iter().for_each(|field| field.write(to));
            }
        }
    }

    pub(crate) fn write_variant(&self, to: &mut Writer) {
        to.signature(&self.signature());
        self.write(to);
    }
}

/// An interface of objects. Its methods take nothing and return nothing, and its properties are only read.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its full name.
    pub name: &'static str,
    /// Names of methods.
    pub methods: &'static [&'static str],
    /// Names of signals, each with the names and types of its arguments.
    pub signals: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    /// Names of properties and the types they are described with.
    pub properties: &'static [(&'static str, &'static str)],
}

/// Who has the objects. Each has one interface, beside those that all have.
pub trait Objects {
    /// The interface of what is at a path; `None` if nothing is.
    fn interface(&self, path: &str) -> Option<&'static Interface>;

    /// One of the properties of that interface.
    fn property(&self, path: &str, name: &str) -> Option<Value>;

    /// The elements that follow a path in the paths of objects, without duplicates.
    fn below(&self, path: &str) -> Vec<String>;
}

/// What every object can do.
const STANDARD: &str = r#"  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="out"/>
    </method>
    <method name="GetAll">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="a{sv}" name="properties" direction="out"/>
    </method>
    <method name="Set">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg type="s" name="interface_name"/>
      <arg type="a{sv}" name="changed_properties"/>
      <arg type="as" name="invalidated_properties"/>
    </signal>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg type="s" name="xml_data" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg type="s" name="machine_uuid" direction="out"/>
    </method>
  </interface>
"#;

/// The answer to `Introspect`; paths without anything have a description, too, an empty one.
pub(crate) fn introspect(objects: &impl Objects, path: &str) -> String {
    let mut out = String::from(
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
         \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
    );
    if let Some(interface) = objects.interface(path) {
        out.push_str(STANDARD);
        interface.describe(&mut out);
    }
    for name in objects.below(path) {
        // Elements of paths are letters, digits and underscores.
        let _ = writeln!(out, "  <node name=\"{name}\"/>");
    }
    out.push_str("</node>\n");
    out
}

impl Interface {
    fn describe(&self, out: &mut String) {
        let _ = writeln!(out, "  <interface name=\"{}\">", self.name);
        for method in self.methods {
            let _ = writeln!(out, "    <method name=\"{method}\"/>");
        }
        for (signal, arguments) in self.signals {
            let _ = writeln!(out, "    <signal name=\"{signal}\">");
            for (name, kind) in *arguments {
                let _ = writeln!(out, "      <arg type=\"{kind}\" name=\"{name}\"/>");
            }
            out.push_str("    </signal>\n");
        }
        for (name, kind) in self.properties {
            let _ =
                writeln!(out, "    <property type=\"{kind}\" name=\"{name}\" access=\"read\"/>");
        }
        out.push_str("  </interface>\n");
    }
}
