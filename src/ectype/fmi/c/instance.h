/* One instance of the model, whatever the version of the interface.

   Value references are places in v:  0 time | states | tracked | constants | inputs | derivatives | sensors | outputs
   The first N_GIVEN are given, the rest is computed when somebody asks (evaluate, in model.c). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.c"

#if defined(_WIN32)
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

enum { OK = 0, WARNING = 1, DISCARD = 2, ERROR = 3 };

typedef struct Instance {
  double v[N_ALL];
  int stale;   /* what is computed does not belong to what is given */
  int running; /* initialisation is over: states are no longer set by name */
  void (*tell)(struct Instance*, int status, const char* message);
  void* logger;
  void* environment;
  char* name;
} Instance;

static int fail(Instance* m, int status, const char* form, ...) {
  char text[256];
  va_list given;
  va_start(given, form);
  vsnprintf(text, sizeof text, form, given);
  va_end(given);
  m->tell(m, status, text);
  return status;
}

static void begin(Instance* m) {
  memset(m->v, 0, sizeof m->v);
  memcpy(m->v, START, sizeof START);
  m->stale = 1;
  m->running = 0;
}

static Instance* create(const char* name) {
  Instance* m = (Instance*)calloc(1, sizeof(Instance));
  if (!m) return NULL;
  m->name = (char*)calloc(1, strlen(name ? name : "") + 1);
  if (!m->name) {
    free(m);
    return NULL;
  }
  strcpy(m->name, name ? name : "");
  begin(m);
  return m;
}

static void destroy(Instance* m) {
  if (!m) return;
  free(m->name);
  free(m);
}

static int get(Instance* m, const unsigned int* vr, size_t n, double* out) {
  size_t i;
  for (i = 0; i < n; ++i) {
    if (vr[i] >= N_ALL) return fail(m, ERROR, "there is no value reference %u; they end at %d", vr[i], N_ALL - 1);
    if (vr[i] >= N_GIVEN && m->stale) {
      evaluate(m->v);
      m->stale = 0;
    }
    out[i] = m->v[vr[i]];
  }
  return OK;
}

static int set(Instance* m, const unsigned int* vr, size_t n, const double* in) {
  size_t i;
  for (i = 0; i < n; ++i) {
    if (vr[i] == 0 || vr[i] >= N_GIVEN) return fail(m, ERROR, "value reference %u cannot be set", vr[i]);
    if (vr[i] <= N_STATES && m->running)
      return fail(m, ERROR, "%s is a state: it can be set before the initialisation ends, not after", NAMES[vr[i]]);
    m->v[vr[i]] = in[i];
  }
  m->stale = 1;
  return OK;
}

static int all_finite(Instance* m, int first, int count) {
  int i;
  for (i = first; i < first + count; ++i)
    if (!isfinite(m->v[i])) return fail(m, DISCARD, "%s is not finite at time %g", NAMES[i], m->v[0]);
  return OK;
}

/* From `from` on by `h`, in equal Runge-Kutta (or `step`) parts no longer than MAX_STEP. */
static int run(Instance* m, double from, double h) {
  double parts = h / MAX_STEP > 1.0 ? ceil(h / MAX_STEP - 1e-9) : 1.0;
  double part = h / parts, k;
  if (!(h >= 0.0)) return fail(m, ERROR, "a step of %g s does not lead forward", h);
  for (k = 0; k < parts; ++k) {
    m->v[0] = from + k * part;
    advance(m->v, part);
  }
  m->v[0] = from + h;
  m->stale = 1;
  return all_finite(m, 1, N_STATES);
}

static int rates(Instance* m, double* out, size_t n) {
  if (!HAS_RATES || n != N_STATES) return fail(m, ERROR, "there are %d states with a derivative", HAS_RATES * N_STATES);
  if (m->stale) evaluate(m->v);
  m->stale = 0;
  memcpy(out, m->v + N_GIVEN, n * sizeof(double));
  return all_finite(m, N_GIVEN, N_STATES);
}

static int move_to(Instance* m, const double* x, size_t n) {
  if (n != N_STATES) return fail(m, ERROR, "there are %d states", N_STATES);
  memcpy(m->v + 1, x, n * sizeof(double));
  m->stale = 1;
  return OK;
}

static int where_is(Instance* m, double* x, size_t n) {
  if (n != N_STATES) return fail(m, ERROR, "there are %d states", N_STATES);
  memcpy(x, m->v + 1, n * sizeof(double));
  return OK;
}

static int nominals(Instance* m, double* x, size_t n) {
  if (n != N_STATES) return fail(m, ERROR, "there are %d states", N_STATES);
  memcpy(x, NOMINAL, sizeof NOMINAL);
  return OK;
}

/* A saved state: the values, and whether the instance was running. */
typedef struct {
  double v[N_ALL];
  int running;
} Saved;

static int save(Instance* m, void** state) {
  Saved* s = *state ? (Saved*)*state : (Saved*)calloc(1, sizeof(Saved));
  if (!s) return fail(m, ERROR, "no memory left for a saved state");
  memcpy(s->v, m->v, sizeof s->v);
  s->running = m->running;
  *state = s;
  return OK;
}

static int restore(Instance* m, void* state) {
  if (!state) return fail(m, ERROR, "there is no saved state to go back to");
  memcpy(m->v, ((Saved*)state)->v, sizeof m->v);
  m->running = ((Saved*)state)->running;
  m->stale = 1;
  return OK;
}

static int write_state(Instance* m, void* state, void* bytes, size_t size) {
  if (!state || size < sizeof(Saved)) return fail(m, ERROR, "a saved state takes %d bytes", (int)sizeof(Saved));
  memcpy(bytes, state, sizeof(Saved));
  return OK;
}

static int read_state(Instance* m, const void* bytes, size_t size, void** state) {
  if (size < sizeof(Saved)) return fail(m, ERROR, "a saved state takes %d bytes", (int)sizeof(Saved));
  if (!*state) *state = calloc(1, sizeof(Saved));
  if (!*state) return fail(m, ERROR, "no memory left for a saved state");
  memcpy(*state, bytes, sizeof(Saved));
  return OK;
}

static int release(void** state) {
  if (state) {
    free(*state);
    *state = NULL;
  }
  return OK;
}

static int unknown(Instance* m, const char* what, size_t n) {
  return n ? fail(m, ERROR, "this FMU has no variables of type %s", what) : OK;
}
