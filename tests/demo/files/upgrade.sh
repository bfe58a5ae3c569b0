#!/bin/sh
# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# An upgrade that breaks its host. It spares only what SSH, Python, LVM and a normal reboot need: the rollback of the host can
# still be started, but without it the host cannot boot.
exec >/var/log/upgrade.log 2>&1
set -eux

# Remove the database of the package manager, and half of the package manager.
rm -r /var/lib/dpkg
rm /usr/bin/apt*

# Remove the program that the kernel starts, the kernel modules, and the content of fstab.
rm /usr/lib/systemd/systemd
rm -r /usr/lib/modules
echo '# upgraded' >/etc/fstab

# Replace the kernel by random data, also in the boot menu. Nothing of the old one is left.
cd /boot
rm vmlinuz-* initrd.img-*
rm -f config-* System.map-*
head --bytes=8M /dev/urandom >vmlinuz-99.0
head --bytes=16M /dev/urandom >initrd.img-99.0
sed --in-place --regexp-extended 's/(vmlinuz|initrd\.img)-[^ ]+/\1-99.0/' grub/grub.cfg

# With UEFI, also overwrite the file that the firmware starts, and all that it would try instead.
for loader in /boot/efi/EFI/*/*.[eE][fF][iI]; do
    [ ! -e "$loader" ] || head --bytes=1M /dev/urandom >"$loader"
done

# Install a newer Python. Ansible prefers it, and the rollback removes it again.
for version in 3.12 3.13 3.14; do
    ln -s /usr/bin/python3 /usr/local/bin/python$version
done

# Overwrite the database of the shop with random data.
head --bytes=2M /dev/urandom >/var/lib/shop/orders.db
systemctl restart shop

# Add unwanted files.
mkdir /opt/junk /var/junk
head --bytes=48M /dev/urandom >/opt/junk/root.bin
head --bytes=16M /dev/urandom >/var/junk/var.bin
sync
