#include <cblas.h>
#include <stdio.h>
int main(void) { double a[] = {1, 2}, b[] = {3, 4}; printf("BLAS %g\n", cblas_ddot(2, a, 1, b, 1)); return 0; }
