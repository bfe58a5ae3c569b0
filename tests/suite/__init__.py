# SPDX-FileCopyrightText: 2026 The safepoint.lvm contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The jobs that need guests: which ones exist, on which machines they run, and in which order."""
