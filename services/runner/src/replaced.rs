//! Gives a file what the file in whose place it comes has beside its content: owner, group, mode, attributes.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr,
    fremovexattr, fsetxattr, fstat, openat, statat,
};
use rustix::io::Errno;

use crate::file_messages::NotKept;

/// Longest list of names, and longest value, of extended attributes on Linux.
const ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// The extended attribute with the access control list.
const ACCESS_LIST: &[u8] = b"system.posix_acl_access";
/// Attributes that are about the old content: a program's capabilities, and digests of the content.
const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];
/// Set-user-id, set-group-id and sticky.
const SPECIAL_BITS: u32 = 0o7000;

/// A file that is about to be replaced.
pub(crate) struct Old {
    /// None if its content, and so its attributes, cannot be read.
    fd: Option<OwnedFd>,
    stat: Stat,
}

impl Old {
    /// Looks at a name in a folder. `None` if nothing is there.
    pub(crate) fn at(folder: &OwnedFd, name: &str) -> rustix::io::Result<Option<Self>> {
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = openat(folder, name, flags, Mode::empty()).ok();
        // It may have been replaced in between.
        let fd = fd.filter(|fd| {
            fstat(fd).is_ok_and(|now| (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino))
        });
        Ok(Some(Self { fd, stat }))
    }

    pub(crate) const fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Gives `file` what this one has, and returns what it could not.
    pub(crate) fn give(&self, file: impl AsFd) -> rustix::io::Result<BTreeSet<NotKept>> {
        let mut not_kept = BTreeSet::new();
        self.give_owner(&file, &mut not_kept)?;
        self.give_attributes(&file, &mut not_kept);
        let old = self.stat.st_mode;
        let mut mode = old & 0o777;
        if not_kept.contains(&NotKept::Group) {
            // The rights of one group are not those of another.
            mode &= 0o707 | ((old & 0o7) << 3);
        }
        let given = fchmod(&file, Mode::from_raw_mode(mode));
        if given.is_err() || mode != old & (0o777 | SPECIAL_BITS) {
            not_kept.insert(NotKept::Mode);
        }
        Ok(not_kept)
    }

    fn give_owner(
        &self,
        file: impl AsFd,
        not_kept: &mut BTreeSet<NotKept>,
    ) -> rustix::io::Result<()> {
        let new = fstat(&file)?;
        let (uid, gid) = (self.stat.st_uid, self.stat.st_gid);
        if new.st_uid != uid && fchown(&file, Some(Uid::from_raw(uid)), None).is_err() {
            not_kept.insert(NotKept::Owner);
        }
        if new.st_gid != gid && fchown(&file, None, Some(Gid::from_raw(gid))).is_err() {
            not_kept.insert(NotKept::Group);
        }
        Ok(())
    }

    fn give_attributes(&self, file: impl AsFd, not_kept: &mut BTreeSet<NotKept>) {
        let Some(old) = &self.fd else {
            not_kept.extend([NotKept::Attributes, NotKept::AccessList]);
            return;
        };
        let (Ok(olds), Ok(news)) = (names(old), names(&file)) else {
            not_kept.extend([NotKept::Attributes, NotKept::AccessList]);
            return;
        };
        for name in &olds {
            let kind = if name == ACCESS_LIST {
                NotKept::AccessList
            } else {
                NotKept::Attributes
            };
            if OF_THE_CONTENT.contains(&name.as_slice()) {
                not_kept.insert(kind);
                continue;
            }
            let value = value(old, name);
            let is_given = match &value {
                Ok(value)
                    if news.contains(name) && self::value(&file, name).as_ref() == Ok(value) =>
                {
                    true
                }
                Ok(value) => fsetxattr(&file, name.as_slice(), value, XattrFlags::empty()).is_ok(),
                Err(_) => false,
            };
            if !is_given {
                not_kept.insert(kind);
            }
        }
        // The folder's default list is for new files.
        let has_default = news.iter().any(|name| name == ACCESS_LIST);
        let had_none = !olds.iter().any(|name| name == ACCESS_LIST);
        if has_default && had_none && fremovexattr(&file, ACCESS_LIST).is_err() {
            not_kept.insert(NotKept::AccessList);
        }
    }
}

/// Returns the names of a file's extended attributes; none on a file system without them.
fn names(file: impl AsFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut list = vec![0; ATTRIBUTES_BYTES_MAX];
    let length = match flistxattr(file, &mut list) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        Err(errno) => return Err(errno),
    };
    list.truncate(length);
    let names = list.split(|byte| *byte == 0);
    Ok(names
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect())
}

fn value(file: impl AsFd, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
    let mut value = vec![0; ATTRIBUTES_BYTES_MAX];
    let length = fgetxattr(file, name, &mut value)?;
    value.truncate(length);
    Ok(value)
}
