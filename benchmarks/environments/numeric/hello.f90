program hello
  print *, "Fortran"
end program hello
