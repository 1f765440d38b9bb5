#include "base/lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* A slot is one pointer to a function, whatever its type. */
typedef void (*slot)(void);

static enum status open_first(const struct lib *l, void **handle, struct err *e)
{
	const char *why = "no file named";

	for (const char *const *file = l->files; *file; file++) {
		*handle = dlopen(*file, RTLD_LAZY | RTLD_LOCAL);
		if (*handle)
			return OK;
		why = dlerror();
	}
	return err_set(e, E_UNSUPPORTED, "opening %s: %s", l->name, why);
}

/* dlsym() gives an object pointer; ISO C has no cast from that, bytes do. */
static enum status fill(const struct lib *l, void *handle, struct err *e)
{
	char *at = l->slots;

	for (const char *const *name = l->names; *name; name++) {
		void *fn = dlsym(handle, *name);

		if (!fn)
			return err_set(e, E_UNSUPPORTED, "%s has no %s",
				l->name, *name);
		_Static_assert(sizeof(slot) == sizeof(fn), "as POSIX wants");
		memcpy(at, &fn, sizeof(fn));
		at += sizeof(slot);
	}
	return OK;
}

enum status lib_load(struct lib *l, struct err *e)
{
	/* The one global: which thread loads first is nobody's to pass in. */
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	void *handle = NULL;
	enum status st = OK;

	if (__atomic_load_n(&l->loaded, __ATOMIC_ACQUIRE))
		return OK;
	pthread_mutex_lock(&lock);
	if (!l->loaded) {
		st = open_first(l, &handle, e);
		if (!st)
			st = fill(l, handle, e);
		if (!st && l->start)
			l->start();
		if (!st)
			__atomic_store_n(&l->loaded, true, __ATOMIC_RELEASE);
		else if (handle)
			dlclose(handle);
	}
	pthread_mutex_unlock(&lock);
	return st;
}
