//! JSON patch, merge patch, strategic merge, three-way merge, server-side apply and field ownership.
