#!/bin/sh
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# An upgrade that ruins its host. What it spares is what SSH, Python, LVM and an orderly reboot need: the host can still
# be told to go back, but it would never boot again as it is.
exec >/var/log/upgrade.log 2>&1
set -eux

# The package manager's database is gone, and so is half of the package manager.
rm -r /var/lib/dpkg
rm /usr/bin/apt*

# So are the program that the kernel starts, its modules, and the table of filesystems.
rm /usr/lib/systemd/systemd
rm -r /usr/lib/modules
echo '# upgraded' >/etc/fstab

# The kernel has been replaced by one that is none, in the boot menu too, and of the old one nothing is left.
cd /boot
rm vmlinuz-* initrd.img-*
rm -f config-* System.map-*
head --bytes=8M /dev/urandom >vmlinuz-99.0
head --bytes=16M /dev/urandom >initrd.img-99.0
sed --in-place --regexp-extended 's/(vmlinuz|initrd\.img)-[^ ]+/\1-99.0/' grub/grub.cfg

# With UEFI the firmware starts a file, which is none any more, nor is any that it would try instead.
for loader in /boot/efi/EFI/*/*.[eE][fF][iI]; do
    [ ! -e "$loader" ] || head --bytes=1M /dev/urandom >"$loader"
done

# There is a newer Python, which Ansible prefers and the host loses again when it goes back.
for version in 3.12 3.13 3.14; do
    ln -s /usr/bin/python3 /usr/local/bin/python$version
done

# The shop has a new database format, which nobody reads.
head --bytes=2M /dev/urandom >/var/lib/shop/orders.db
systemctl restart shop

# And there is a lot that nobody wanted.
mkdir /opt/junk /var/junk
head --bytes=48M /dev/urandom >/opt/junk/root.bin
head --bytes=16M /dev/urandom >/var/junk/var.bin
sync
