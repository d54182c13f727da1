//! Links, addresses, routes and rules of the kernel: want-state in, events out.
