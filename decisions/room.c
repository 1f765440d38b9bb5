/* The disk under the log: how full it is, and who may still send. */
#include "decisions/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

enum { LOWER = 3 }; /* percent that must be free again */

static bool above(
	const struct decisions_disk *d, unsigned percent, uint64_t floor)
{
	return d->free < floor || d->size - d->free > d->size / 100 * percent;
}

/* The mark of others, or of canaries: halfway from there to a full disk. */
static struct decisions_mark mark_of(const struct decisions_mark *m, int canary)
{
	return canary ? (struct decisions_mark){(m->percent + 100) / 2,
				m->floor / 2}
		      : *m;
}

void room_next(bool high[2], const struct decisions_disk *d,
	const struct decisions_mark *mark)
{
	for (int i = 0; i < 2; i++) {
		struct decisions_mark m = mark_of(mark, i);
		unsigned low = m.percent > LOWER ? m.percent - LOWER : 0;

		high[i] = above(d, m.percent, m.floor) ||
			  (high[i] && above(d, low, m.floor + m.floor / 4));
	}
}

/* What only root may use is no room. */
enum status decisions_disk_read(
	const char *dir, struct decisions_disk *out, struct err *e)
{
	struct statvfs v;

	if (statvfs(dir, &v))
		return err_set(
			e, E_IO, "the disk of %s: %s", dir, strerror(errno));
	out->free = (uint64_t)v.f_bavail * v.f_frsize;
	out->size = (uint64_t)(v.f_blocks - v.f_bfree) * v.f_frsize + out->free;
	return OK;
}

unsigned decisions_disk_percent(const struct decisions_disk *d)
{
	double used = (double)(d->size - d->free);

	return d->size ? (unsigned)(100 * used / (double)d->size) : 0;
}

void store_look_at_disk(struct decisions *d)
{
	const struct decisions_config *c = &d->c;
	struct decisions_disk disk = {0};
	struct err e;

	if (c->disk ? c->disk(c->disk_user, &disk, &e)
		    : decisions_disk_read(c->dir, &disk, &e))
		return;
	pthread_mutex_lock(&d->lock);
	d->counts.disk = disk;
	room_next(d->high, &disk, &c->mark);
	d->counts.disk_high = d->high[0];
	d->counts.disk_full = d->high[1];
	pthread_mutex_unlock(&d->lock);
}

bool decisions_have_room(struct decisions *d, bool canary)
{
	bool room;

	pthread_mutex_lock(&d->lock);
	room = !d->high[canary];
	d->counts.disk_refused += !room;
	pthread_mutex_unlock(&d->lock);
	return room;
}
