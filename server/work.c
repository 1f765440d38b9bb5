#include "server/internal.h"

#include <stdlib.h>

/*
 * Handlers may wait for a disk or a database: they run here, while their
 * connection is suspended, and the serving threads go on.
 */
bool work_push(struct request *r)
{
	struct server *s = r->s;
	bool room;

	pthread_mutex_lock(&s->jobs_lock);
	room = s->njobs < s->max.queue;
	if (room) {
		mhd.MHD_suspend_connection(r->mc);
		r->after = NULL;
		*s->last = r;
		s->last = &r->after;
		s->njobs++;
		pthread_cond_signal(&s->jobs_more);
	}
	pthread_mutex_unlock(&s->jobs_lock);
	return room;
}

/* NULL: no more come. */
static struct request *pop(struct server *s)
{
	struct request *r;

	pthread_mutex_lock(&s->jobs_lock);
	while (!s->first && !s->jobs_end)
		pthread_cond_wait(&s->jobs_more, &s->jobs_lock);
	r = s->first;
	if (r) {
		s->first = r->after;
		if (!s->first)
			s->last = &s->first;
		s->njobs--;
	}
	pthread_mutex_unlock(&s->jobs_lock);
	return r;
}

static void *run(void *user)
{
	struct server *s = user;
	struct request *r;

	while ((r = pop(s))) {
		void *mine = r->route->kind == KIND_API ? s->cfg.user : s;

		r->route->api.handle(mine, &r->pub, &r->reply);
		mhd.MHD_resume_connection(r->mc);
	}
	return NULL;
}

void work_start(struct server *s)
{
	s->last = &s->first;
	s->workers = calloc(s->max.workers, sizeof(*s->workers));
	if (!s->workers)
		die("out of memory: workers");
	for (; s->nworkers < s->max.workers; s->nworkers++)
		if (pthread_create(&s->workers[s->nworkers], NULL, run, s))
			die("no thread for a worker");
}

void work_stop(struct server *s)
{
	pthread_mutex_lock(&s->jobs_lock);
	s->jobs_end = true;
	pthread_cond_broadcast(&s->jobs_more);
	pthread_mutex_unlock(&s->jobs_lock);
	while (s->nworkers)
		pthread_join(s->workers[--s->nworkers], NULL);
	free(s->workers);
	s->workers = NULL;
}
