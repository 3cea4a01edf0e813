/* Prices as exact cents: text to integer and back, without floating point. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>

static PyObject *cents(PyObject *module, PyObject *arg)
{
    Py_ssize_t size, at = 0;
    long long total = 0;
    int digits = 0, decimals = -1;
    (void)module;
    const char *text = PyUnicode_AsUTF8AndSize(arg, &size);
    if (text == NULL)
        return NULL;
    for (; at < size; at++) {
        if (text[at] == '.' && decimals < 0) {
            decimals = 0;
        } else if (text[at] >= '0' && text[at] <= '9' && digits < 15 && decimals < 2) {
            total = total * 10 + (text[at] - '0');
            digits++;
            if (decimals >= 0)
                decimals++;
        } else {
            return PyErr_Format(PyExc_ValueError, "not a price: %R", arg);
        }
    }
    if (digits == 0 || decimals == 0)
        return PyErr_Format(PyExc_ValueError, "not a price: %R", arg);
    for (int missing = 2 - (decimals < 0 ? 0 : decimals); missing > 0; missing--)
        total *= 10;
    assert(total >= 0);
    return PyLong_FromLongLong(total);
}

static PyObject *format_cents(PyObject *module, PyObject *arg)
{
    (void)module;
    long long total = PyLong_AsLongLong(arg);
    if (total == -1 && PyErr_Occurred())
        return NULL;
    if (total < 0) {
        PyErr_SetString(PyExc_ValueError, "a price is not negative");
        return NULL;
    }
    return PyUnicode_FromFormat("%lld.%lld%lld", total / 100, total / 10 % 10, total % 10);
}

static PyMethodDef methods[] = {
    {"cents", cents, METH_O, "Cents of a price such as \"2.50\"."},
    {"format_cents", format_cents, METH_O, "The price of so many cents, with two decimals."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_money", "Exact prices.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__money(void)
{
    return PyModule_Create(&module);
}
